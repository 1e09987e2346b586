// Whole weights of at most 127 on bytes: four taps of a column in one instruction.
//
// A thread walks down its rows. For each cell of the row that it sees it holds the bytes of the
// last 4 * WORDS rows, the newest on top; a new row moves each up by a byte. An output sample is
// then KERNEL_W * WORDS dot products of four bytes, exact in 32 bits, whatever the row: nothing is
// unrolled down, and the code stays small. The next row is on its way while one is worked on.
//
// Where a kernel of several words is a column times a row, both whole, neighbours share the sums of
// their columns (FACTORED): WORDS dot products for each cell, and KERNEL_W products of sums.

constexpr int SPAN = AT(NX - 1) + (KERNEL_W - 1) * TAP + 1;

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

// Moves the bytes of each cell up by a row; `held` is the row that comes, laid out as in memory.
INLINE void push(unsigned (&columns)[SPAN][WORDS], const unsigned (&held)[HELD(SPAN)])
{
#pragma unroll
    for (int k = 0; k < SPAN; k++) {
#pragma unroll
        for (int w = 0; w < WORDS - 1; w++)
            columns[k][w] = __byte_perm(columns[k][w], columns[k][w + 1], 0x4321);
        columns[k][WORDS - 1] = __byte_perm(columns[k][WORDS - 1], held[(k + SKEW) / 4],
                                            0x4321 + (k + SKEW) % 4 * 0x1000);
    }
}

#if FACTORED
INLINE void correlate(int (&sums)[MEMBERS][NX], const unsigned (&columns)[SPAN][WORDS])
{
#pragma unroll
    for (int p = 0; p < MEMBERS; p++) {
        int down[SPAN] = {}; // what no output sees of it is never summed
#pragma unroll
        for (int k = 0; k < SPAN; k++)
#pragma unroll
            for (int w = 0; w < WORDS; w++)
                if (packed(p, 0, w))
                    down[k] = dot(columns[k][w], packed(p, 0, w), down[k]);
#pragma unroll
        for (int n = 0; n < NX; n++)
#pragma unroll
            for (int j = 0; j < KERNEL_W; j++)
                sums[p][n] += across_weight(p, j) * down[AT(n) + j * TAP];
    }
}
#else
INLINE void correlate(int (&sums)[MEMBERS][NX], const unsigned (&columns)[SPAN][WORDS])
{
#pragma unroll
    for (int p = 0; p < MEMBERS; p++)
#pragma unroll
        for (int n = 0; n < NX; n++)
#pragma unroll
            for (int j = 0; j < KERNEL_W; j++)
#pragma unroll
                for (int w = 0; w < WORDS; w++)
                    if (packed(p, j, w))
                        sums[p][n] = dot(columns[AT(n) + j * TAP][w], packed(p, j, w), sums[p][n]);
}
#endif

INLINE int finish_row(out_t *to, const unsigned (&columns)[SPAN][WORDS], int valid)
{
    int sums[MEMBERS][NX] = {};
    correlate(sums, columns);
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
    return store(to, values, valid);
#else
    return store_sums(to, sums, valid);
#endif
}

extern "C" __global__ void __launch_bounds__(BOUNDS) bytes(ARGUMENTS)
{
    PLACE(rows_per_thread)
    VIEW(x * STRIDE_W, top * STRIDE_H, END_ROW, SPAN)
    const int valid = samples_out - x;
    const int count = bottom - top;
    unsigned columns[SPAN][WORDS] = {}, coming[HELD(SPAN)];
    int outside = 0;
    out_t *to = out + (top - (KERNEL_H - 1)) * pitch_out + x;
    fetch<SPAN>(coming, from);
#pragma unroll 1
    for (int done = 1 - KERNEL_H; done < count; done++, to += pitch_out) {
        push(columns, coming);
        from += done + 1 < count ? pitch : 0; // a row twice is better than a condition
        fetch<SPAN>(coming, from);
        if (done >= 0)
            outside += finish_row(to, columns, valid);
    }
    report(clipped, outside);
}
