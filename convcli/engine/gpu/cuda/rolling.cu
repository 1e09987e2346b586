// Small kernels, direct or separable, in one pass over memory.
//
// Each thread walks down rows_per_thread rows with the sums of KERNEL_H output rows in registers.
// A row of input is read once and added to every sum it belongs to; then the oldest sum is
// complete and is finished, and its registers start the next one. The loop is unrolled KERNEL_H
// times, which makes the turning of the registers a matter of names. Weights are literals, so a
// tap costs one multiply-add with an immediate operand, and a weight of zero nothing.
//
// Separable kernels first sum each row of input across, then add the result down: KERNEL_H +
// KERNEL_W multiply-adds a sample instead of their product.
//
// With a stride or dilation down, rows are not shared this way: each output row reads its own.

constexpr int SPAN = AT(NX - 1) + (KERNEL_W - 1) * TAP + 1;

// Adds one row of input to the sums of a kernel's row `i`; across[] are the sums of a separable
// kernel's lines.
INLINE void add_row(acc_t (&sums)[MEMBERS][NX], const acc_t (&cells)[SPAN],
                    const acc_t (&across)[LINES][NX], int i)
{
#pragma unroll
    for (int p = 0; p < MEMBERS; p++) {
#if SEPARABLE
#pragma unroll
        for (int t = 0; t < TERMS; t++) {
            const acc_t w = column(p, t, i);
            if (w != (acc_t)0) {
#pragma unroll
                for (int n = 0; n < NX; n++)
                    sums[p][n] = fused(across[p * TERMS + t][n], w, sums[p][n]);
            }
        }
#else
#pragma unroll
        for (int j = 0; j < KERNEL_W; j++) {
            const acc_t w = weight(p, i, j);
            if (w != (acc_t)0) {
#pragma unroll
                for (int n = 0; n < NX; n++)
                    sums[p][n] = fused(cells[AT(n) + j * TAP], w, sums[p][n]);
            }
        }
#endif
    }
}

INLINE void sum_across(acc_t (&across)[LINES][NX], const acc_t (&cells)[SPAN])
{
#if SEPARABLE
#pragma unroll
    for (int line = 0; line < LINES; line++) {
#pragma unroll
        for (int n = 0; n < NX; n++)
            across[line][n] = 0;
#pragma unroll
        for (int j = 0; j < KERNEL_W; j++) {
            const acc_t w = across_weight(line, j);
            if (w != (acc_t)0) {
#pragma unroll
                for (int n = 0; n < NX; n++)
                    across[line][n] = fused(cells[AT(n) + j * TAP], w, across[line][n]);
            }
        }
    }
#endif
}

INLINE void clear(acc_t (&sums)[MEMBERS][NX])
{
#pragma unroll
    for (int p = 0; p < MEMBERS; p++)
#pragma unroll
        for (int n = 0; n < NX; n++)
            sums[p][n] = 0;
}

extern "C" __global__ void __launch_bounds__(128) rolling(ARGUMENTS)
{
    PLACE(rows_per_thread)
    VIEW(x * STRIDE_W, top * STRIDE_H, END_ROW, SPAN)
    const int valid = samples_out - x;
    acc_t cells[SPAN], across[LINES][NX];
    int outside = 0;

#if ROLLING
    acc_t sums[KERNEL_H][MEMBERS][NX];
#pragma unroll
    for (int i = 0; i < KERNEL_H; i++)
        clear(sums[i]);
    const int end = bottom + KERNEL_H - 1;
    held_t coming[HELD(SPAN)]; // the next row is on its way while one is worked on
    fetch<SPAN>(coming, from);
    for (int base = top; base < end; base += KERNEL_H) {
#pragma unroll
        for (int turn = 0; turn < KERNEL_H; turn++) {
            const int at = base + turn;
            if (at < end) {
                unpack<SPAN>(cells, coming);
                from += pitch;
                if (at + 1 < end)
                    fetch<SPAN>(coming, from);
                sum_across(across, cells);
                clear(sums[turn]); // the output row `at` begins here, as its kernel's row 0
#pragma unroll
                for (int i = 0; i < KERNEL_H; i++)
                    add_row(sums[(turn - i + KERNEL_H) % KERNEL_H], cells, across, i);
                const int done = at - (KERNEL_H - 1);
                if (done >= top)
                    outside += store_sums(out + done * pitch_out + x,
                                          sums[(turn + 1) % KERNEL_H], valid);
            }
        }
    }
#else
    for (int o = top; o < bottom; o++) {
        acc_t sums[MEMBERS][NX];
        clear(sums);
#pragma unroll
        for (int i = 0; i < KERNEL_H; i++) {
            load<SPAN>(cells, from + i * DILATION_H * pitch);
            sum_across(across, cells);
            add_row(sums, cells, across, i);
        }
        from += STRIDE_H * pitch;
        outside += store_sums(out + o * pitch_out + x, sums, valid);
    }
#endif
    report(clipped, outside);
}
