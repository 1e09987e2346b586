// Kernels that mix channels: C_OUT sums over CHANNELS channels for each pixel.
//
// One thread makes one pixel, all of its channels; neighbouring threads make neighbouring pixels,
// so that the cache turns their narrow loads into wide ones. Weights are (C_OUT, CHANNELS,
// KERNEL_H, KERNEL_W), from constant memory where they fit.

extern "C" __global__ void __launch_bounds__(128) bank(ARGUMENTS)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int o = blockIdx.y * blockDim.y + threadIdx.y;
    if (x * C_OUT >= samples_out || o >= rows_out)
        return;
    VIEW(x * STRIDE_W * CHANNELS, o * STRIDE_H, o * STRIDE_H + (KERNEL_H - 1) * DILATION_H + 1,
         (KERNEL_W - 1) * TAP + CHANNELS)
    acc_t sums[C_OUT];
#pragma unroll
    for (int k = 0; k < C_OUT; k++)
        sums[k] = 0;
    for (int i = 0; i < KERNEL_H; i++) {
        for (int j = 0; j < KERNEL_W; j++) {
            const in_t *pixel = from + i * DILATION_H * pitch + j * TAP;
#pragma unroll
            for (int c = 0; c < CHANNELS; c++) {
                const acc_t cell = (acc_t)pixel[c];
#pragma unroll
                for (int k = 0; k < C_OUT; k++) {
                    const acc_t w =
                        WEIGHTS[((k * CHANNELS + c) * KERNEL_H + i) * KERNEL_W + j];
                    if (!SKIP_ZEROS || w != (acc_t)0)
                        sums[k] = fused(cell, w, sums[k]);
                }
            }
        }
    }
    int outside = 0;
#pragma unroll
    for (int k = 0; k < C_OUT; k++) {
        const work_t value = shown(response(sums[k]));
        out_t *to = out + o * pitch_out + x * C_OUT + k;
#if OUT_WHOLE
        const int whole = nearest(value);
        outside += CLIP && (whole & ~WHITE);
        *to = (out_t)min(max(whole, 0), WHITE);
#else
        *to = (out_t)value;
#endif
    }
    report(clipped, outside);
}
