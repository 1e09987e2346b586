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

// Which sample cell `k` of a row is tap `j` of, if of any.
INLINE bool meets(int k, int j, int &n)
{
    const int first = k - j * TAP; // the sample's first cell, as AT says
    n = first / (STRIDE_W * CHANNELS) * CHANNELS + first % (STRIDE_W * CHANNELS);
    return first >= 0 && first % (STRIDE_W * CHANNELS) < CHANNELS && n < NX;
}

// Adds one cell of a row of input to the sums of a kernel's row `i`.
INLINE void add_cell(acc_t (&sums)[MEMBERS][NX], acc_t cell, int k, int i)
{
#if !SEPARABLE
#pragma unroll
    for (int j = 0; j < KERNEL_W; j++) {
        int n;
        if (meets(k, j, n))
#pragma unroll
            for (int p = 0; p < MEMBERS; p++) {
                const acc_t w = weight(p, i, j);
                if (w != (acc_t)0)
                    sums[p][n] = fused(cell, w, sums[p][n]);
            }
    }
#endif
}

// The same for the sums of a separable kernel's lines, which are then added to those of its rows.
INLINE void add_across(acc_t (&across)[LINES][NX], acc_t cell, int k)
{
#if SEPARABLE
#pragma unroll
    for (int j = 0; j < KERNEL_W; j++) {
        int n;
        if (meets(k, j, n))
#pragma unroll
            for (int line = 0; line < LINES; line++) {
                const acc_t w = across_weight(line, j);
                if (w != (acc_t)0)
                    across[line][n] = fused(cell, w, across[line][n]);
            }
    }
#endif
}

INLINE void add_line(acc_t (&sums)[MEMBERS][NX], const acc_t (&across)[LINES][NX], int i)
{
#if SEPARABLE
#pragma unroll
    for (int p = 0; p < MEMBERS; p++)
#pragma unroll
        for (int t = 0; t < TERMS; t++) {
            const acc_t w = column(p, t, i);
            if (w != (acc_t)0) {
#pragma unroll
                for (int n = 0; n < NX; n++)
                    sums[p][n] = fused(across[p * TERMS + t][n], w, sums[p][n]);
            }
        }
#endif
}

template <int COUNT> INLINE void clear(acc_t (&sums)[COUNT][NX])
{
#pragma unroll
    for (int p = 0; p < COUNT; p++)
#pragma unroll
        for (int n = 0; n < NX; n++)
            sums[p][n] = 0;
}

#if __CUDA_ARCH__ >= 1000 // whose assembler takes more registers
#define AT_ONCE (BLOCKS > 2 ? BLOCKS - 2 : 1)
#else
#define AT_ONCE BLOCKS
#endif

extern "C" __global__ void __launch_bounds__(128, AT_ONCE) rolling(ARGUMENTS)
{
    PLACE(rows_per_thread)
    VIEW(x * STRIDE_W, top * STRIDE_H, END_ROW, SPAN)
    const Valid valid = {samples_out};
    acc_t across[LINES][NX];
    int outside = 0;

#if ROLLING
    acc_t sums[KERNEL_H][MEMBERS][NX];
#pragma unroll
    for (int i = 0; i < KERNEL_H; i++)
        clear(sums[i]);
    const int count = bottom - top;
    out_t *to = out + (top - (KERNEL_H - 1)) * pitch_out + x;
    held_t coming[HELD(SPAN)]; // the next row is on its way while one is worked on
    fetch<SPAN>(coming, from);
#pragma unroll 1
    for (int base = 1 - KERNEL_H;; base += KERNEL_H) { // of the sum that a row completes
#pragma unroll
        for (int turn = 0; turn < KERNEL_H; turn++) {
            const int done = base + turn;
            if (done == count) { // leaves both loops: what a later turn would clear is not kept
                report(clipped, outside);
                return;
            }
            held_t held[HELD(SPAN)];
#pragma unroll
            for (int k = 0; k < HELD(SPAN); k++)
                held[k] = coming[k];
            from += done + 1 < count ? pitch : 0; // a row twice is better than a condition
            fetch<SPAN>(coming, from);
            clear(sums[turn]); // an output row begins here, as its kernel's row 0
            clear(across);
#pragma unroll
            for (int k = 0; k < SPAN; k++) { // cell by cell, so that few are in registers
                const acc_t cell = cell_of(held, k);
                add_across(across, cell, k);
#pragma unroll
                for (int i = 0; i < KERNEL_H; i++)
                    add_cell(sums[(turn - i + KERNEL_H) % KERNEL_H], cell, k, i);
            }
#pragma unroll
            for (int i = 0; i < KERNEL_H; i++)
                add_line(sums[(turn - i + KERNEL_H) % KERNEL_H], across, i);
            if (done >= 0)
                outside += store_sums(to, sums[(turn + 1) % KERNEL_H], valid);
            to += pitch_out;
        }
    }
#else
#pragma unroll 1
    for (int o = top; o < bottom; o++) {
        acc_t sums[MEMBERS][NX];
        clear(sums);
#pragma unroll
        for (int i = 0; i < KERNEL_H; i++) {
            held_t held[HELD(SPAN)];
            fetch<SPAN>(held, from + i * DILATION_H * pitch);
            clear(across);
#pragma unroll
            for (int k = 0; k < SPAN; k++) {
                const acc_t cell = cell_of(held, k);
                add_across(across, cell, k);
                add_cell(sums, cell, k, i);
            }
            add_line(sums, across, i);
        }
        from += STRIDE_H * pitch;
        outside += store_sums(out + o * pitch_out + x, sums, valid);
    }
    report(clipped, outside);
#endif
}
