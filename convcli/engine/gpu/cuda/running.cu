// Boxes on whole samples: running sums, exact, at nearly the same cost for every size.
//
// A block covers CHUNKS chunks of NX samples, one for each thread, and walks down. A thread holds
// the sums of its NX columns over KERNEL_H rows: a row down adds the one that comes and subtracts
// the one that leaves, two sums of bytes in one word where they fit into 16 bits. Across, a thread
// adds up its columns, one channel at a time; a window is then a difference of two such partial
// sums and the totals of the chunks between, whatever its width. Chunks begin at words of the
// picture, outputs SKEW samples later, so a thread also needs the partial sums of its neighbours:
// they are in shared memory, in turn in one of two places, so that a row needs one barrier.
//
// Chunks of single rows are asked for one by one: the frame is as narrow as the border and a chunk.

constexpr int WINDOW = KERNEL_W * CHANNELS;
constexpr int PAST = (SKEW + WINDOW) / NX, PAST_AT = (SKEW + WINDOW) % NX; // of a chunk's first window
constexpr int REACH = (SKEW + NX - 1 + WINDOW) / NX;
constexpr int OUTPUTS = CHUNKS - REACH; // chunks whose windows lie in the block
constexpr int QUADS = NX / 4, PITCH = (QUADS | 1) * 4; // threads next to each other: other banks

struct alignas(LOAD_BYTES) Chunk {
    unsigned raw[NX * IN_BYTES / 4];
};

struct alignas(16) Quad {
    unsigned at[4];
};

typedef unsigned Partial[CHUNKS][PITCH];

// The sums of a thread's columns.
struct Columns {
#if PAIRS
    unsigned held[NX / 2]; // of bytes 0 and 2 of a word, then of 1 and 3

    static INLINE_MEMBER unsigned part(const Chunk &row, int k)
    {
        return __byte_perm(row.raw[k / 2], 0, k % 2 ? 0x4341 : 0x4240);
    }
    INLINE_MEMBER unsigned operator[](int i) const
    {
        const unsigned pair = held[i / 4 * 2 + i % 2];
        return i % 4 < 2 ? pair & 0xffffu : pair >> 16;
    }
#else
    unsigned held[NX];

    static INLINE_MEMBER unsigned part(const Chunk &row, int k)
    {
        constexpr int per = 4 / IN_BYTES;
        return row.raw[k / per] >> k % per * (8 * IN_BYTES) & (IN_BYTES == 1 ? 0xffu : 0xffffu);
    }
    INLINE_MEMBER unsigned operator[](int i) const { return held[i]; }
#endif
    INLINE_MEMBER void add(const Chunk &row)
    {
#pragma unroll
        for (int k = 0; k < (PAIRS ? NX / 2 : NX); k++)
            held[k] += part(row, k);
    }
    INLINE_MEMBER void move(const Chunk &coming, const Chunk &leaving)
    {
#pragma unroll
        for (int k = 0; k < (PAIRS ? NX / 2 : NX); k++)
            held[k] += part(coming, k) - part(leaving, k);
    }
};

// NX partial sums from number `first` of a chunk on, the last ones of the next chunk.
template <int first> INLINE void take(unsigned (&to)[NX], const Partial &partial, int chunk)
{
#pragma unroll
    for (int q = first / 4; q < QUADS; q++) {
        const Quad quad = *(const Quad *)&partial[chunk][q * 4];
#pragma unroll
        for (int c = 0; c < 4; c++)
            if (q * 4 + c >= first)
                to[q * 4 + c - first] = quad.at[c];
    }
#pragma unroll
    for (int q = 0; q < (first + 3) / 4; q++) {
        const Quad quad = *(const Quad *)&partial[chunk + 1][q * 4];
#pragma unroll
        for (int c = 0; c < 4; c++)
            if (q * 4 + c < first)
                to[NX - first + q * 4 + c] = quad.at[c];
    }
}

extern "C" __global__ void __launch_bounds__(CHUNKS, 512 / CHUNKS) running(ARGUMENTS)
{
    alignas(16) __shared__ Partial partials[2];
    __shared__ unsigned totals[2][CHANNELS][CHUNKS];
    const int t = threadIdx.x, chunk = blockIdx.x * OUTPUTS + t, x = chunk * NX;
    const int top = blockIdx.y * rows_per_thread, bottom = min(top + rows_per_thread, rows_out);
    const int seen = samples_out + (KERNEL_W - 1) * CHANNELS; // samples of a row of input
    const int start = min(chunk, (SKEW + seen - 1) / NX) * NX;
    const in_t *at; // where the chunk would be in row 0, if its row is the picture's
    long long pitch_at;
    {
        VIEW(start, rows_from, rows_from + 1, NX - SKEW)
        at = from - SKEW - rows_from * pitch, pitch_at = pitch;
    }
    auto row_of = [&](int row) {
        if (row >= rows_from && row < rows_to)
            return *(const Chunk *)(at + row * pitch_at);
        VIEW(start, row, row + 1, NX - SKEW)
        return *(const Chunk *)(from - SKEW);
    };

    Columns columns = {};
#pragma unroll 4
    for (int row = top; row < top + KERNEL_H - 1; row++)
        columns.add(row_of(row));
    Chunk coming = row_of(top + KERNEL_H - 1), leaving = {};
    const int valid = t < OUTPUTS ? samples_out - x : 0;
    int outside = 0, turn = 0;
#pragma unroll 1
    for (int o = top; o < bottom; o++, turn ^= 1) {
        columns.move(coming, leaving);
        unsigned before[NX], total[CHANNELS]; // sums of the columns before each, of its channel
#pragma unroll
        for (int n = 0; n < NX; n++)
            before[n] = n < CHANNELS ? 0 : before[n - CHANNELS] + columns[n - CHANNELS];
#pragma unroll
        for (int c = 0; c < CHANNELS; c++)
            totals[turn][c][t] = total[c] = before[NX - CHANNELS + c] + columns[NX - CHANNELS + c];
#pragma unroll
        for (int q = 0; q < QUADS; q++) {
            const Quad quad = {before[4 * q], before[4 * q + 1], before[4 * q + 2],
                               before[4 * q + 3]};
            *(Quad *)&partials[turn][t][4 * q] = quad;
        }
        if (o + 1 < bottom) {
            coming = row_of(o + KERNEL_H);
            leaving = row_of(o);
        }
        __syncthreads();
        if (valid > 0) {
            unsigned past[CHANNELS]; // of the chunks up to the one where the first window ends
#pragma unroll
            for (int c = 0; c < CHANNELS; c++)
                past[c] = PAST ? total[c] : 0;
#pragma unroll 4
            for (int k = 1; k < PAST; k++)
#pragma unroll
                for (int c = 0; c < CHANNELS; c++)
                    past[c] += totals[turn][c][t + k];
            unsigned ends[NX], starts[NX];
            take<PAST_AT>(ends, partials[turn], t + PAST);
            take<SKEW>(starts, partials[turn], t);
            acc_t sums[1][NX];
#pragma unroll
            for (int n = 0; n < NX; n++) {
                const int c = (SKEW + n) % CHANNELS;
                unsigned sum = past[c];
                if (SKEW + n >= NX)
                    sum -= total[c];
                if (PAST_AT + n >= NX)
                    sum += PAST ? totals[turn][c][t + PAST] : total[c];
                sums[0][n] = (acc_t)((ends[n] - (SKEW + n < NX ? before[SKEW + n] : starts[n]) + sum) *
                                     WEIGHT);
            }
            outside += store_sums(out + o * pitch_out + x, sums, valid);
        }
    }
    report(clipped, outside);
}
