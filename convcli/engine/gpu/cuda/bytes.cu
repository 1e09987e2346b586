// Whole weights of at most 127 on bytes: four taps of a column in one instruction.
//
// A thread walks down its rows. For each cell of the row that it sees it holds the bytes of the
// last 4 * WORDS rows, the newest on top; a new row moves each up by a byte. An output sample is
// then KERNEL_W * WORDS dot products of four bytes, exact in 32 bits, whatever the row: nothing is
// unrolled down, and the code stays small. The next row is on its way while one is worked on.

constexpr int SPAN = AT(NX - 1) + (KERNEL_W - 1) * TAP + 1;
constexpr int RAW = WORDS_OF(SPAN) * LOAD_BYTES / 4;

INLINE int dot(unsigned bytes, int weights, int sum)
{
#if __CUDA_ARCH__ >= 610
    asm("dp4a.u32.s32 %0, %1, %2, %0;" : "+r"(sum) : "r"(bytes), "r"(weights));
    return sum;
#else
#pragma unroll
    for (int b = 0; b < 4; b++)
        sum += (int)(bytes >> 8 * b & 0xff) * (signed char)(weights >> 8 * b);
    return sum;
#endif
}

// The bytes that a row shows this thread, as `load` of common.cu makes cells of them.
INLINE void load_bytes(unsigned (&raw)[RAW], const in_t *__restrict__ in, int row,
                       long long pitch_in, int start, int before, int samples_in,
                       const int *__restrict__ cols, int positions, int border)
{
    const int first = start - before * CHANNELS;
    const in_t *from = in + row * pitch_in;
    if (row >= 0 && first >= 0 && first + SPAN <= samples_in) {
        load_words<SPAN>(raw, from + first);
        return;
    }
    int edge[SPAN];
    if (row >= 0)
        gather<SPAN>(edge, from, start, cols, positions, border);
#pragma unroll
    for (int k = 0; k < RAW; k++)
        raw[k] = row < 0 ? (unsigned)border * 0x01010101u : 0;
    if (row >= 0) {
#pragma unroll
        for (int k = 0; k < SPAN; k++)
            raw[(k + SKEW) / 4] |= (unsigned)edge[k] << (k + SKEW) % 4 * 8;
    }
}

INLINE int finish_row(out_t *to, const int (&sums)[MEMBERS][NX], int valid)
{
#if INTEGER // the whole formula is, without a scale
    int values[NX];
#pragma unroll
    for (int n = 0; n < NX; n++) {
        values[n] = sums[0][n];
#pragma unroll
        for (int p = 1; p < MEMBERS; p++)
            values[n] = max(values[n], sums[p][n]);
        values[n] += (int)BIAS;
        if (ABSOLUTE)
            values[n] = abs(values[n]);
        values[n] += (int)OFFSET;
    }
#else
    work_t values[NX];
#pragma unroll
    for (int n = 0; n < NX; n++) {
        work_t value = response(sums[0][n]);
#pragma unroll
        for (int p = 1; p < MEMBERS; p++)
            value = combined(value, response(sums[p][n]));
        values[n] = shown(value);
    }
#endif
    return store(to, values, valid);
}

extern "C" __global__ void __launch_bounds__(128) bytes(ARGUMENTS)
{
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * NX;
    const int top = (blockIdx.y * blockDim.y + threadIdx.y) * rows_per_thread;
    if (x >= samples_out || top >= rows_out)
        return;
    const int bottom = min(top + rows_per_thread, rows_out);
    const int end = bottom + KERNEL_H - 1;
    unsigned columns[SPAN][WORDS] = {}, coming[RAW];
    int outside = 0;
    load_bytes(coming, in, rows[top], pitch_in, x * STRIDE_W, before, samples_in, cols, positions,
               (int)border);
#pragma unroll 1
    for (int at = top; at < end; at++) {
        unsigned raw[RAW];
#pragma unroll
        for (int k = 0; k < RAW; k++)
            raw[k] = coming[k];
        if (at + 1 < end)
            load_bytes(coming, in, rows[at + 1], pitch_in, x * STRIDE_W, before, samples_in, cols, positions,
                       (int)border);
#pragma unroll
        for (int k = 0; k < SPAN; k++) {
#pragma unroll
            for (int w = 0; w < WORDS - 1; w++)
                columns[k][w] = __byte_perm(columns[k][w], columns[k][w + 1], 0x4321);
            columns[k][WORDS - 1] = __byte_perm(columns[k][WORDS - 1], raw[(k + SKEW) / 4],
                                                0x4321 + (k + SKEW) % 4 * 0x1000);
        }
        const int done = at - (KERNEL_H - 1);
        if (done < top)
            continue;
        int sums[MEMBERS][NX];
#pragma unroll
        for (int p = 0; p < MEMBERS; p++)
#pragma unroll
            for (int n = 0; n < NX; n++) {
                sums[p][n] = 0;
#pragma unroll
                for (int j = 0; j < KERNEL_W; j++)
#pragma unroll
                    for (int w = 0; w < WORDS; w++)
                        if (packed(p, j, w))
                            sums[p][n] = dot(columns[AT(n) + j * TAP][w], packed(p, j, w), sums[p][n]);
            }
        outside += finish_row(out + done * pitch_out + x, sums, samples_out - x);
    }
    report(clipped, outside);
}
