// One picture less another of the same size, sample by sample.

#define PER_WORD (LOAD_BYTES / IN_BYTES)
#if WIDE_SUMS
typedef double less_t;
#else
typedef float less_t;
#endif

extern "C" __global__ void __launch_bounds__(128)
difference(const in_t *__restrict__ first, const in_t *__restrict__ second,
           out_t *__restrict__ out, unsigned long long *clipped, long long pitch_first,
           long long pitch_second, long long pitch_out, int samples_out, int rows_out)
{
    PLACE(1)
    acc_t sums[1][NX];
#pragma unroll
    for (int k = 0; k < NX; k += PER_WORD) {
        acc_t cells[PER_WORD] = {}, less[PER_WORD] = {};
        if (x + k < samples_out) { // a row ends with a whole word
            load<PER_WORD>(cells, first + top * pitch_first + x + k);
            load<PER_WORD>(less, second + top * pitch_second + x + k);
        }
#pragma unroll
        for (int n = 0; n < PER_WORD; n++)
            sums[0][k + n] = (acc_t)((less_t)cells[n] - (less_t)less[n]);
    }
    report(clipped, store_sums(out + top * pitch_out + x, sums, samples_out - x));
}
