// Dense kernels of whole weights on bytes by the multiply-adds of matrices ("tensor cores").
//
// One row of a kernel, for 8 outputs beside each other, is a matrix: 8 columns that hold the
// weights, each one cell further down (a band of a Toeplitz matrix), times the cells that the 8
// see. It is multiplied with cells of 16 rows of the picture at once. An instruction takes 32
// numbers of each column and row: EXTENT cells (8 outputs see that many, in whole fours) of one
// row of the kernel after the other, so that PERIOD rows fill STEPS instructions without a rest.
//
// Cells are bytes, weights signed bytes, sums 32-bit integers: exact. Weights that do not fit into a
// byte are written in base 256, with PARTS digits of -128 to 127 and a sum for each; weights that are
// not whole are UNIT times whole ones. toeplitz_tile.py lays the weights out as threads take them.
//
// A block makes WIDE x TALL pixels of every channel; a warp 8 of them in a row, GROUPS times 16
// rows. Its 16 rows are PERIOD rows in a row, then the next ones GROUPS * PERIOD further down: what
// it reads for rows `q` of its windows serves period q - g of the kernel in group g, and weights
// stay in registers for GROUPS turns. GROUPS is odd, and rows of shared memory an odd number of
// words of 16 bytes apart, so that threads meet in no bank.
//
// Channels are put apart on the way to shared memory: 16 pixels are CHANNELS words. The first pixel
// that an output sees is number LEAD of such a chunk, and SHIFT after the start of four.

constexpr int PER = 16; // samples of a word
constexpr int SECTION = PERIODS * PERIOD; // rows of the kernel in an unrolled loop
constexpr int ROWS = TALL + SECTIONS * SECTION - 1; // of input; the last may have no weights
constexpr int SHIFT = LEAD % 4, HALO = (KERNEL_W - 1) * CHANNELS;
constexpr int CHUNKS = (LEAD - SHIFT + WIDE - 8 + EXTENT + 15) / 16; // of 16 pixels
constexpr int PITCH = (CHUNKS | 1) * 16;
constexpr int WORDS_AHEAD = (LEAD * CHANNELS - SKEW) / PER; // of a row's first one, in its first chunk
constexpr int SUMS_PITCH = WIDE * CHANNELS + 8;

struct alignas(16) Word {
    unsigned raw[4];
};

struct alignas(16) Four {
    acc_t at[4];
};

struct alignas(PARTS == 2 ? 16 : 8) Band {
    unsigned at[PARTS][2];
};

typedef unsigned char Cells[CHANNELS][ROWS][PITCH];
typedef acc_t Sums[TALL][SUMS_PITCH];

// 16 rows of 32 bytes times 8 columns of 32 signed bytes: a warp's threads hold four rows' bytes by
// four, two columns', and two sums of two rows each.
INLINE void multiply(int (&sums)[4], const unsigned (&cells)[4], const unsigned (&band)[2])
{
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])
        : "r"(cells[0]), "r"(cells[1]), "r"(cells[2]), "r"(cells[3]), "r"(band[0]), "r"(band[1]));
#elif __CUDA_ARCH__
    asm volatile("trap;"); // no older device is given this kernel
#else
    __mma_u8s8(sums, cells, band);
#endif
}

// Byte c of four neighbouring pixels, whose bytes follow each other.
INLINE unsigned of_channel(const unsigned *raw, int c)
{
    if (CHANNELS == 1)
        return raw[0];
    constexpr int C = CHANNELS;
    const unsigned first = __byte_perm(raw[c / 4], raw[(c + C) / 4], c % 4 | (c + C) % 4 << 4 | 64);
    const unsigned last =
        __byte_perm(raw[(c + 2 * C) / 4], raw[(c + 3 * C) / 4],
                    (c + 2 * C) % 4 | (c + 3 * C) % 4 << 4 | 64);
    return __byte_perm(first, last, 0x5410);
}

// Rows of the windows of a block, `first` and those below it, channel by channel.
INLINE void bring(Cells &cells, const in_t *in, const in_t *frame, long long pitch_in,
                  VIEW_ARGUMENTS, int x, int first, int last_row, int last_word)
{
#pragma unroll 1
    for (int k = threadIdx.x; k < ROWS * CHUNKS; k += THREADS) {
        const int line = k / CHUNKS, chunk = k % CHUNKS, row = min(first + line, last_row);
        unsigned raw[4 * CHANNELS];
#pragma unroll
        for (int w = 0; w < CHANNELS; w++) {
            // What lies before a row's first word or behind its last has no weights.
            const int start = min(max(x + (chunk * CHANNELS + w - WORDS_AHEAD) * PER, 0), last_word);
            VIEW(start, row, row + 1, PER - SKEW)
            const Word word = *(const Word *)(from - SKEW);
#pragma unroll
            for (int i = 0; i < 4; i++)
                raw[4 * w + i] = word.raw[i];
        }
#pragma unroll
        for (int c = 0; c < CHANNELS; c++) {
            Word word;
#pragma unroll
            for (int i = 0; i < 4; i++)
                word.raw[i] = of_channel(raw + i * CHANNELS, c);
            *(Word *)&cells[c][line][chunk * 16] = word;
        }
    }
}

// Row `m` of a warp's 16, in its first group.
INLINE int row_of(int m) { return m % PERIOD + m / PERIOD * (PERIOD * GROUPS); }

INLINE void sum_up(int (&sums)[GROUPS][PARTS][4], const unsigned char (&cells)[ROWS][PITCH],
                   const Band *bands)
{
    const int lane = threadIdx.x % 32, left = LEAD - SHIFT + threadIdx.x / 32 * 8;
#pragma unroll
    for (int g = 0; g < GROUPS; g++)
#pragma unroll
        for (int p = 0; p < PARTS; p++)
#pragma unroll
            for (int n = 0; n < 4; n++)
                sums[g][p][n] = 0;
#pragma unroll 1
    for (int turn = 0; turn < SECTIONS * STEPS; turn++) {
        const int first = turn / STEPS * SECTION; // of the kernel's rows
        const unsigned char *at[4]; // of rows lane / 4 and 8 more, of both halves of the 32 bytes
#pragma unroll
        for (int n = 0; n < 4; n++) {
            const int four = turn % STEPS * 8 + n / 2 * 4 + lane % 4; // of those that PERIOD rows have
            at[n] = &cells[first + row_of(lane / 4 + n % 2 * 8) + four / (EXTENT / 4)]
                          [left + four % (EXTENT / 4) * 4];
        }
        Band held[GROUPS];
#pragma unroll
        for (int q = 0; q < PERIODS + GROUPS - 1; q++) {
            unsigned seen[4];
#pragma unroll
            for (int n = 0; n < 4; n++)
                seen[n] = *(const unsigned *)(at[n] + q * PERIOD * PITCH);
            if (q < PERIODS)
                held[q % GROUPS] = bands[(turn * PERIODS + q) * 32 + lane];
#pragma unroll
            for (int g = 0; g < GROUPS; g++)
                if (q - g >= 0 && q - g < PERIODS)
#pragma unroll
                    for (int p = 0; p < PARTS; p++)
                        multiply(sums[g][p], seen, held[(q - g) % GROUPS].at[p]);
        }
    }
}

// The sum that digits of base 256 come to, the highest first.
INLINE acc_t whole(const int (&sums)[GROUPS][PARTS][4], int g, int n)
{
#if WHOLE_WEIGHTS
    unsigned sum = (unsigned)sums[g][0][n]; // parts may leave the range, all together do not
#pragma unroll
    for (int p = 1; p < PARTS; p++)
        sum = sum * 256u + (unsigned)sums[g][p][n];
    return (acc_t)(int)sum;
#else
    float sum = (float)sums[g][0][n];
#pragma unroll
    for (int p = 1; p < PARTS; p++)
        sum = __fmaf_rn(sum, 256.0f, (float)sums[g][p][n]);
    return (acc_t)(sum * UNIT);
#endif
}

extern "C" __global__ void __launch_bounds__(THREADS, 4) toeplitz(ARGUMENTS)
{
    alignas(16) __shared__ Cells cells;
    alignas(16) __shared__ Sums sums;
    const int x = blockIdx.x * (WIDE * CHANNELS), top = blockIdx.y * rows_per_thread;
    const int bottom = min(top + rows_per_thread, rows_out);
    const int last_row = rows_out - 1 + KERNEL_H - 1;
    const int last_word = (SKEW + samples_out + HALO - 1) / PER * PER;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int outside = 0;
#pragma unroll 1
    for (int at = top; at < bottom; at += TALL) {
        bring(cells, in, frame, pitch_in, pitch_bands, pitch_strips, picture_at, top_at, bottom_at,
              left_at, right_at, rows_from, rows_to, samples_from, samples_to, x, at, last_row,
              last_word);
        __syncthreads();
#pragma unroll 1
        for (int c = 0; c < CHANNELS; c++) {
            int found[GROUPS][PARTS][4];
            sum_up(found, cells[c], (const Band *)BANDS);
#pragma unroll
            for (int g = 0; g < GROUPS; g++)
#pragma unroll
                for (int n = 0; n < 4; n++)
                    sums[row_of(lane / 4 + n / 2 * 8) + g * PERIOD]
                        [(warp * 8 + lane % 4 * 2 + n % 2) * CHANNELS + c] = whole(found, g, n);
        }
        __syncthreads();
        constexpr int quads = WIDE * CHANNELS / NX;
#pragma unroll 1
        for (int k = threadIdx.x; k < TALL * quads; k += THREADS) {
            const int row = k / quads, left = k % quads * NX;
            const int valid = samples_out - x - left;
            if (valid > 0 && at + row < bottom) {
                const Four four = *(const Four *)&sums[row][left];
                const acc_t made[1][NX] = {{four.at[0], four.at[1], four.at[2], four.at[3]}};
                outside += store_sums(out + (at + row) * pitch_out + x + left, made, valid);
            }
        }
        // Nobody fills `cells` before all have summed, nor `sums` before all have stored: a barrier
        // lies in between each time.
    }
    report(clipped, outside);
}
