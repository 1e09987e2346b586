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
    SPANNED
    const int valid = samples_out - x;
    acc_t cells[SPAN], across[LINES][NX];
    int outside = 0;

#if ROLLING
    acc_t sums[KERNEL_H][MEMBERS][NX];
#pragma unroll
    for (int i = 0; i < KERNEL_H; i++)
        clear(sums[i]);
    const int end = bottom + KERNEL_H - 1;
    const Walk walk(rows, top, end);
    held_t coming[HELD(SPAN)]; // the next row is on its way while one is worked on
    if (inside && walk[top] >= 0)
        fetch<SPAN>(coming, in + walk[top] * pitch_in + first);
    for (int base = top; base < end; base += KERNEL_H) {
#pragma unroll
        for (int turn = 0; turn < KERNEL_H; turn++) {
            const int at = base + turn;
            if (at < end) {
                const int row = walk[at];
                if (row < 0)
                    fill(cells, (acc_t)border);
                else if (inside)
                    unpack<SPAN>(cells, coming);
                else
                    cells_at_edge<SPAN>(cells, in + row * pitch_in, start, cols, positions,
                                        (acc_t)border);
                if (inside && at + 1 < end && walk[at + 1] >= 0)
                    fetch<SPAN>(coming, in + walk[at + 1] * pitch_in + first);
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
            const int row = rows[o * STRIDE_H + i * DILATION_H];
            if (row < 0)
                fill(cells, (acc_t)border);
            else
                load(cells, in + row * pitch_in, start, before, samples_in, cols, positions,
                     (acc_t)border);
            sum_across(across, cells);
            add_row(sums, cells, across, i);
        }
        outside += store_sums(out + o * pitch_out + x, sums, valid);
    }
#endif
    report(clipped, outside);
}
