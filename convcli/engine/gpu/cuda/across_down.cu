// Separable kernels in one launch, samples in and samples out; any size that shared memory holds.
//
// A block covers COLS samples of a row and walks down in steps of TILE_H rows. Of each row of input
// that it sees it takes words to shared memory, as numbers, STAGED rows at a time; the next ones
// are on their way while one lot is summed across. The sums of TILE_H + KERNEL_H - 1 rows stay in
// shared memory: those of the last rows are carried to the next step, so that no row is summed
// across twice. Then each thread adds down, for four columns and DOWN rows in registers: a row of
// sums that it loads serves up to DOWN outputs.
//
// Words are asked for one by one, so that the frame of the picture is as narrow as its border.

constexpr int PER = 16 / IN_BYTES; // samples of a word
constexpr int HALO = (KERNEL_W - 1) * TAP, EARLIER = (KERNEL_H - 1) * DILATION_H;
constexpr int SEEN_WORDS = (SKEW + COLS + HALO + PER - 1) / PER;
// A thread brings one word of every LINED_UP-th row.
constexpr int LINED_UP = THREADS / SEEN_WORDS, PER_THREAD = (STAGED + LINED_UP - 1) / LINED_UP;
constexpr int ACROSS = STAGED * COLS / THREADS; // samples that a thread sums across at a time
constexpr int DOWN = TILE_H * (COLS / 4) / THREADS;
constexpr int ROWS = (EARLIER + TILE_H + STAGED - 1) / STAGED * STAGED;

// Threads that stand below each other, eight in turn, meet different banks: rows are 4 numbers
// longer than a multiple of 32.
constexpr int odd_pitch(int count) { return (count + 27) / 32 * 32 + 4; }
constexpr int STAGE_PITCH = odd_pitch(SEEN_WORDS * PER), SUMS_PITCH = odd_pitch(COLS);

struct alignas(16) Four {
    acc_t at[4];
};

struct alignas(16) Word {
    unsigned raw[4];
};

// Sample k of a word.
INLINE acc_t sample_of(const Word &word, int k)
{
#if IN_BYTES <= 2
    acc_t cell;
    number(cell, word.raw[k / (4 / IN_BYTES)], k);
    return cell;
#elif IN_WHOLE
    return (acc_t)(int)word.raw[k];
#elif IN_BYTES == 4
    return (acc_t)__uint_as_float(word.raw[k]);
#else
    return (acc_t)__hiloint2double((int)word.raw[2 * k + 1], (int)word.raw[2 * k]);
#endif
}

typedef acc_t Stage[STAGED][STAGE_PITCH];
typedef acc_t Sums[LINES][ROWS][SUMS_PITCH];

INLINE void put(Stage &stage, const Word (&coming)[PER_THREAD])
{
    const int row = threadIdx.x / SEEN_WORDS, word = threadIdx.x % SEEN_WORDS;
#pragma unroll
    for (int n = 0; n < PER_THREAD; n++) {
        if (row >= LINED_UP || row + n * LINED_UP >= STAGED)
            break;
        acc_t *to = &stage[row + n * LINED_UP][word * PER];
#pragma unroll
        for (int i = 0; i < PER; i += 4) {
#if IN_BYTES == 8
            to[0] = sample_of(coming[n], 0), to[1] = sample_of(coming[n], 1);
#else
            Four four;
#pragma unroll
            for (int c = 0; c < 4; c++)
                four.at[c] = sample_of(coming[n], i + c);
            *(Four *)(to + i) = four;
#endif
        }
    }
}

// Threads next to each other take rows below each other. A number serves all samples that it
// belongs to before the next is looked at, so that few are held.
INLINE void sum_across(Sums &sums, const Stage &stage, int first)
{
    const int row = threadIdx.x % STAGED, left = threadIdx.x / STAGED * ACROSS;
    acc_t across[LINES][ACROSS];
#pragma unroll
    for (int line = 0; line < LINES; line++)
#pragma unroll
        for (int n = 0; n < ACROSS; n++)
            across[line][n] = 0;
#pragma unroll
    for (int k = SKEW / 4 * 4; k < SKEW + ACROSS + HALO; k += 4) {
        const Four cells = *(const Four *)&stage[row][left + k];
#pragma unroll
        for (int c = 0; c < 4; c++) {
            const int cell = k + c - SKEW; // of the first sample's; a tap of every TAP-th
            if (cell < 0 || cell >= ACROSS + HALO)
                continue;
#pragma unroll
            for (int n = cell % TAP; n < ACROSS; n += TAP) {
                const int j = (cell - n) / TAP;
                if (cell >= n && j < KERNEL_W) {
#pragma unroll
                    for (int line = 0; line < LINES; line++) {
                        const acc_t w = across_weight(line, j);
                        if (w != (acc_t)0)
                            across[line][n] = fused(cells.at[c], w, across[line][n]);
                    }
                }
            }
        }
    }
#pragma unroll
    for (int line = 0; line < LINES; line++)
#pragma unroll
        for (int n = 0; n < ACROSS; n += 4) {
            const Four four = {across[line][n], across[line][n + 1], across[line][n + 2],
                               across[line][n + 3]};
            *(Four *)&sums[line][first + row][left + n] = four;
        }
}

INLINE void sum_down(acc_t (&down)[DOWN][MEMBERS][4], const Sums &sums, int first, int left)
{
#pragma unroll
    for (int o = 0; o < DOWN; o++)
#pragma unroll
        for (int p = 0; p < MEMBERS; p++)
#pragma unroll
            for (int n = 0; n < 4; n++)
                down[o][p][n] = 0;
#pragma unroll
    for (int r = 0; r < DOWN + EARLIER; r++)
#pragma unroll
        for (int line = 0; line < LINES; line++) {
            const Four cells = *(const Four *)&sums[line][first + r][left];
#pragma unroll
            for (int o = 0; o < DOWN; o++) {
                const int far = r - o, i = far / DILATION_H;
                if (far >= 0 && far % DILATION_H == 0 && i < KERNEL_H) {
                    const acc_t w = column(line / TERMS, line % TERMS, i);
                    if (w != (acc_t)0) {
#pragma unroll
                        for (int n = 0; n < 4; n++)
                            down[o][line / TERMS][n] =
                                fused(cells.at[n], w, down[o][line / TERMS][n]);
                    }
                }
            }
        }
}

// The sums of the last rows become those of the first.
INLINE void carry(Sums &sums)
{
    constexpr int quads = (ROWS - TILE_H) * (COLS / 4);
#pragma unroll
    for (int line = 0; line < LINES; line++)
#pragma unroll
        for (int n = 0; n < (quads + THREADS - 1) / THREADS; n++) {
            const int k = threadIdx.x + n * THREADS, row = k / (COLS / 4), left = k % (COLS / 4) * 4;
            if (k < quads)
                *(Four *)&sums[line][row][left] = *(const Four *)&sums[line][row + TILE_H][left];
        }
}

// Blocks on a multiprocessor at once: as shared memory allows, but for sums of several members or
// numbers of twice the size, and an assembler that takes more registers than that leaves.
#if __CUDA_ARCH__ >= 1000
#define AT_ONCE 4
#else
#define AT_ONCE (MEMBERS > 1 || sizeof(acc_t) > 4 || sizeof(work_t) > 4 ? 4 : 5)
#endif

extern "C" __global__ void __launch_bounds__(THREADS, AT_ONCE) across_down(ARGUMENTS)
{
    alignas(16) __shared__ Stage stage;
    alignas(16) __shared__ Sums sums;
    const int x = blockIdx.x * COLS, top = blockIdx.y * rows_per_thread;
    const int bottom = min(top + rows_per_thread, rows_out);
    const int last_row = rows_out - 1 + EARLIER;
    const int last_word = (SKEW + samples_out + HALO - 1) / PER * PER;
    const int mine = threadIdx.x / SEEN_WORDS; // of the rows that threads bring at a time
    const int start = min(x + threadIdx.x % SEEN_WORDS * PER, last_word);
    const in_t *at_word; // where it would be in row 0, if its row is the picture's
    long long pitch_of_word;
    {
        VIEW(start, rows_from, rows_from + 1, PER - SKEW)
        at_word = from - SKEW - rows_from * pitch, pitch_of_word = pitch;
    }
    Word coming[PER_THREAD];
    auto fetch_rows = [&](int first) {
        const bool level = first >= rows_from && first + STAGED <= rows_to;
#pragma unroll
        for (int n = 0; n < PER_THREAD; n++) {
            if (mine >= LINED_UP || mine + n * LINED_UP >= STAGED)
                break;
            const int row = min(first + mine + n * LINED_UP, last_row);
            if (level) {
                coming[n] = *(const Word *)(at_word + row * pitch_of_word);
            } else {
                VIEW(start, row, row + 1, PER - SKEW)
                coming[n] = *(const Word *)(from - SKEW);
            }
        }
    };
    const int left = threadIdx.x % (COLS / 4) * 4, group = threadIdx.x / (COLS / 4) * DOWN;
    int outside = 0, have = 0;
    fetch_rows(top);
#pragma unroll 1
    for (int at = top; at < bottom; at += TILE_H) {
#pragma unroll 1
        for (; have < ROWS; have += STAGED) {
            put(stage, coming);
            __syncthreads();
            fetch_rows(at + have + STAGED);
            sum_across(sums, stage, have);
            __syncthreads();
        }
        acc_t down[DOWN][MEMBERS][4];
        sum_down(down, sums, group, left);
        const int rows = bottom - at - group, valid = samples_out - x - left;
        out_t *to = out + (at + group) * pitch_out + x + left;
        if (valid > 0 && rows >= DOWN) {
#pragma unroll
            for (int o = 0; o < DOWN; o++, to += pitch_out)
                outside += store_sums(to, down[o], valid);
        } else if (valid > 0) {
#pragma unroll
            for (int o = 0; o < DOWN; o++, to += pitch_out)
                if (o < rows)
                    outside += store_sums(to, down[o], valid);
        }
        if (at + TILE_H < bottom) {
            __syncthreads();
            carry(sums);
            have = ROWS - TILE_H;
        }
    }
    report(clipped, outside);
}
