// Ranks under small rectangles, by a network of minima and maxima in registers.
//
// A thread makes ROWS rows of NX samples, straight on: networks.py writes the instructions, in which
// every value is computed once for all samples that it is for. A word is loaded when the first of its
// samples is wanted. Rows below the last and samples beyond the end of a row are made too, of what the
// frame holds there, and not stored.
//
// NaN does not vote, which a network cannot know: a thread that sees one looks all its samples up.

#define LOWER(name, a, b) const value_t name = lower(a, b);
#define UPPER(name, a, b) const value_t name = upper(a, b);
#define FOUND(row, sample, value) found[row][sample] = value;
// What follows makes samples that lie beyond the end of the row, or at least it might: the assembler
// moves no load and hardly a comparison across the branch, which it otherwise does until registers run
// out.
#define BEYOND(sample)                                                                         \
    if (left <= (sample))                                                                      \
        break;
// The next channel. The compiler must not keep words for it, nor know what is left of the row.
#ifdef __CUDA_ARCH__
#define OPAQUE asm volatile("" : "+l"(from), "+r"(left));
#else
#define OPAQUE
#endif
#define ANEW                                                                                   \
    }                                                                                          \
    while (0);                                                                                 \
    OPAQUE                                                                                     \
    do {
#define WORD(name, row, at)                                                                    \
    const load_t name = ((const load_t *)(from + (row) * pitch - SKEW))[at];
#if VOTES
#define CELL(name, ...)                                                                        \
    const value_t name = value_of(__VA_ARGS__);                                                \
    strange |= lacks(name);
#else
#define CELL(name, ...) const value_t name = value_of(__VA_ARGS__);
#endif

#if VOTES
// The value of the rank among those that are numbers, bit by bit from the highest; NaN of none.
INLINE in_t of_votes(const in_t *cells, long long pitch)
{
    int votes = 0;
    for (int i = 0; i < KERNEL_H; i++)
        for (int j = 0; j < KERNEL_W; j++) {
            const in_t cell = cells[i * DILATION_H * pitch + j * TAP];
            votes += cell == cell;
        }
    const int rank = RANKS[votes];
    count_t found = 0;
    for (count_t bit = (count_t)1 << (IN_BYTES * 8 - 1); bit; bit >>= 1) {
        int less = 0;
        for (int i = 0; i < KERNEL_H; i++)
            for (int j = 0; j < KERNEL_W; j++)
                less += counted(cells[i * DILATION_H * pitch + j * TAP]) < (found | bit);
        if (less <= rank)
            found |= bit;
    }
    return counted_back(found);
}

// What a thread makes that sees a NaN.
static __device__ __noinline__ int finish_by_votes(out_t *to, const in_t *from, long long pitch, long long pitch_out,
                           int rows, int valid)
{
    int outside = 0;
#pragma unroll 1
    for (int row = 0; row < rows; row++)
#pragma unroll 1
        for (int n = 0; n < valid; n++) {
            const in_t value = of_votes(from + row * STRIDE_H * pitch + AT(n), pitch);
            out_t *at = to + row * pitch_out + n;
#if PLAIN
            *at = value;
#elif OUT_WHOLE
            const int whole = nearest(shown(response((acc_t)value)));
            outside += CLIP && (whole & ~WHITE);
            *at = (out_t)min(max(whole, 0), WHITE);
#else
            *at = (out_t)shown(response((acc_t)value));
#endif
        }
    return outside;
}
#endif

extern "C" __global__ void __launch_bounds__(BOUNDS) network(ARGUMENTS)
{
    PLACE(ROWS)
    VIEW(x * STRIDE_W, top * STRIDE_H, top * STRIDE_H + SEEN_ROWS, SPAN)
    value_t found[GROUP][NX];
    bool strange = false;
    int left = samples_out - x;
    do {
    INSTRUCTIONS
    } while (0);
    int outside = 0;
#if VOTES
    if (strange) {
        outside = finish_by_votes(out + top * pitch_out + x, from, pitch, pitch_out, bottom - top,
                                  min(samples_out - x, NX));
        report(clipped, outside);
        return;
    }
#endif
#pragma unroll
    for (int row = 0; row < ROWS; row++)
        if (top + row < bottom)
            outside += finish_row(out + (top + row) * pitch_out + x, found[row % GROUP], row / GROUP,
                                  samples_out - x);
    report(clipped, outside);
}
