// Large kernels, direct, in one pass over memory; any size.
//
// Each thread makes TILE_H rows of NX samples. It walks over the rows of input that they see, and
// along each row in chunks of CHUNK taps: NX + CHUNK - 1 cells in registers serve NX * CHUNK
// multiply-adds for each of the TILE_H rows. Weights come from constant memory (every thread of a
// warp reads the same one), or from global memory where they are too many.

#define SEEN(taps) (AT(NX - 1) + ((taps) - 1) * TAP + 1)

template <int TAPS>
INLINE void add_chunk(acc_t (&sums)[TILE_H][NX], const acc_t *__restrict__ member, int r, int j,
                      const in_t *__restrict__ row)
{
    acc_t cells[SEEN(TAPS)];
    load<SEEN(TAPS)>(cells, row + j * TAP);
#pragma unroll
    for (int tile = 0; tile < TILE_H; tile++) {
        const int i = r - tile * STRIDE_H; // TILE_H is 1 where rows are dilated
        if (i >= 0 && i < KERNEL_H) {
#pragma unroll
            for (int t = 0; t < TAPS; t++) {
                const acc_t w = member[i * KERNEL_W + j + t];
                if (SKIP_ZEROS && w == (acc_t)0)
                    continue; // 0 * infinity would be NaN
#pragma unroll
                for (int n = 0; n < NX; n++)
                    sums[tile][n] = fused(cells[AT(n) + t * TAP], w, sums[tile][n]);
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(BOUNDS) wide(ARGUMENTS)
{
    PLACE(TILE_H)
    VIEW(x * STRIDE_W, top * STRIDE_H, END_ROW, SEEN(KERNEL_W))
    const int seen = (bottom - top - 1) * STRIDE_H + KERNEL_H; // rows of input, if not dilated
    const int steps = TILE_H == 1 ? KERNEL_H : seen;
    work_t values[TILE_H][NX];
    for (int p = 0; p < MEMBERS; p++) {
        const acc_t *member = WEIGHTS + p * KERNEL_H * KERNEL_W;
        acc_t sums[TILE_H][NX];
#pragma unroll
        for (int tile = 0; tile < TILE_H; tile++)
#pragma unroll
            for (int n = 0; n < NX; n++)
                sums[tile][n] = 0;
        for (int r = 0; r < steps; r++) {
            const in_t *row = from + r * DILATION_H * pitch;
            constexpr int whole = KERNEL_W / CHUNK * CHUNK;
#pragma unroll 1 // two chunks at once would need twice the registers
            for (int j = 0; j < whole; j += CHUNK)
                add_chunk<CHUNK>(sums, member, r, j, row);
#if KERNEL_W % CHUNK
            add_chunk<KERNEL_W % CHUNK>(sums, member, r, whole, row);
#endif
        }
#pragma unroll
        for (int tile = 0; tile < TILE_H; tile++)
#pragma unroll
            for (int n = 0; n < NX; n++) {
                const work_t value = response(sums[tile][n]);
                values[tile][n] = p ? combined(values[tile][n], value) : value;
            }
    }
    int outside = 0;
#pragma unroll
    for (int tile = 0; tile < TILE_H; tile++) {
        if (top + tile < bottom) {
#pragma unroll
            for (int n = 0; n < NX; n++)
                values[tile][n] = shown(values[tile][n]);
            outside += store(out + (top + tile) * pitch_out + x, values[tile], samples_out - x);
        }
    }
    report(clipped, outside);
}
