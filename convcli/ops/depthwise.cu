// Correlation of each channel with a kernel of its own, (N, C, H, W) to (N, C', H', W').
//
// A block works on one plane of the output, lanes along its rows, so that loads and stores are
// neighbours. A thread makes ROWS outputs below each other; where neither stride nor dilation
// keeps rows apart, it reads each cell once for all of them. What lies outside the input is zero.
// Strides are in elements, so that a transposed convolution can write every second cell.

extern "C" __global__ void __launch_bounds__(128)
    depthwise(const real_t *__restrict__ x, const real_t *__restrict__ weight,
              const real_t *__restrict__ bias, real_t *out, long long x_image, long long x_channel,
              long long x_row, long long x_column, long long out_image, long long out_channel,
              long long out_row, long long out_column, int height, int width, int rows,
              int columns, int top, int left, int channels, int planes)
{
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int first = (blockIdx.y * blockDim.y + threadIdx.y) * ROWS;
    if (column >= columns || first >= rows)
        return;
    const int start = left + column * STRIDE_W;
    for (int plane = blockIdx.z; plane < planes; plane += gridDim.z) {
        const int image = plane / channels, channel = plane % channels;
        const real_t *in = x + image * x_image + channel / MULTIPLIER * x_channel;
        const real_t *taps = weight + (long long)channel * (KERNEL_H * KERNEL_W);
        real_t sums[ROWS];
#pragma unroll
        for (int o = 0; o < ROWS; o++)
            sums[o] = bias ? bias[channel] : (real_t)0;
#if STRIDE_H == 1 && DILATION_H == 1
#pragma unroll
        for (int r = 0; r < ROWS + KERNEL_H - 1; r++) {
            const int row = top + first + r;
            if (row < 0 || row >= height)
                continue;
#pragma unroll
            for (int j = 0; j < KERNEL_W; j++) {
                const int at = start + j * DILATION_W;
                const real_t cell =
                    at >= 0 && at < width ? in[row * x_row + at * x_column] : (real_t)0;
#pragma unroll
                for (int o = 0; o < ROWS; o++)
                    if (r - o >= 0 && r - o < KERNEL_H)
                        sums[o] = fused(cell, taps[(r - o) * KERNEL_W + j], sums[o]);
            }
        }
#else
        for (int i = 0; i < KERNEL_H; i++)
            for (int j = 0; j < KERNEL_W; j++) {
                const int at = start + j * DILATION_W;
                const real_t w = taps[i * KERNEL_W + j];
                if (at < 0 || at >= width)
                    continue;
#pragma unroll
                for (int o = 0; o < ROWS; o++) {
                    const int row = top + (first + o) * STRIDE_H + i * DILATION_H;
                    if (row >= 0 && row < height)
                        sums[o] = fused(in[row * x_row + at * x_column], w, sums[o]);
                }
            }
#endif
        real_t *to = out + image * out_image + channel * out_channel + column * out_column;
#pragma unroll
        for (int o = 0; o < ROWS; o++)
            if (first + o < rows)
                to[(first + o) * out_row] = sums[o];
    }
}
