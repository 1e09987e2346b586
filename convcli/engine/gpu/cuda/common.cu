// What every kernel needs: cells of a row in registers, the finish, packed stores.
//
// Python puts the types (in_t, out_t, acc_t, work_t) and the constants in capitals in front, see
// kernel_source.py; nothing is included, so that NVRTC, nvcc and, for tests without a GPU, g++ all
// compile the same text.
//
// Layout. A picture is rows of interleaved samples; a row starts at a multiple of 16 bytes
// (pitch_in, pitch_out: samples from row to row). A thread makes NX neighbouring samples, so that
// it loads and stores whole words of LOAD_BYTES and STORE_BYTES; what it writes past the end of a
// row falls into the padding. Tap j of sample n is cell AT(n) + j * TAP of the SPAN cells that a
// thread sees of one row; channels need no loop, since neighbouring taps are CHANNELS apart.
//
// Borders. rows[] and cols[] say which cell of the input stands at each position of the padded
// axis, -1 being the constant; so no kernel knows what "reflect" means. Rows are looked up by
// every thread, columns only by the threads at the left and right end.

#define INLINE static __device__ __forceinline__
#define INLINE_MEMBER __device__ __forceinline__
#define CALLED static __device__ __noinline__
#define AT(n) ((n) / CHANNELS * (STRIDE_W * CHANNELS) + (n) % CHANNELS)
#define TAP (DILATION_W * CHANNELS)
#define ARGUMENTS                                                                              \
    const in_t *__restrict__ in, out_t *__restrict__ out, const int *__restrict__ rows,        \
        const int *__restrict__ cols, const acc_t *__restrict__ weights,                       \
        unsigned long long *clipped, long long pitch_in, long long pitch_out, int samples_in,  \
        int samples_out, int rows_out, int rows_per_thread, int before, int positions,         \
        double border

// Where a thread stands: NX samples from `x` on, rows [top, bottom) of the output; threads beyond
// it leave.
#define PLACE(rows_each)                                                                       \
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * NX;                                \
    const int top = (blockIdx.y * blockDim.y + threadIdx.y) * (rows_each);                     \
    if (x >= samples_out || top >= rows_out)                                                   \
        return;                                                                                \
    const int bottom = min(top + (rows_each), rows_out);

// The cells that it sees of a row: SPAN from position `start` on, of the input from `first` on;
// whether all of them lie inside.
#define SPANNED                                                                                \
    const int start = x * STRIDE_W, first = start - before * CHANNELS;                         \
    const bool inside = first >= 0 && first + SPAN <= samples_in;

INLINE float fused(float a, float b, float c) { return __fmaf_rn(a, b, c); }
INLINE double fused(double a, double b, double c) { return __fma_rn(a, b, c); }
INLINE int fused(int a, int b, int c) { return a * b + c; }

INLINE float root(float a) { return __fsqrt_rn(a); }
INLINE double root(double a) { return __dsqrt_rn(a); }

INLINE float size(float a) { return fabsf(a); }
INLINE double size(double a) { return fabs(a); }

// Half to even; NaN becomes 0, what is too large the largest number.
INLINE int nearest(float a) { return __float2int_rn(a); }
INLINE int nearest(double a) { return a != a ? 0 : __double2int_rn(a); }

// Cell `at` of a row of the padded picture, counted in samples from its first position.
INLINE acc_t looked_up(const in_t *__restrict__ row, int at, const int *__restrict__ cols,
                       int positions, acc_t border)
{
    const int column = cols[min(at / CHANNELS, positions - 1)];
    return column < 0 ? border : (acc_t)row[column * CHANNELS + at % CHANNELS];
}

// What few threads do, those at the left and right end, must not cost the others registers.
template <int COUNT>
CALLED void gather(acc_t *cells, const in_t *__restrict__ row, int start,
                   const int *__restrict__ cols, int positions, acc_t border)
{
#pragma unroll 1
    for (int k = 0; k < COUNT; k++)
        cells[k] = looked_up(row, start + k, cols, positions, border);
}

#if LOAD_BYTES
#define WORDS_OF(count) (((SKEW + (count)) * IN_BYTES + LOAD_BYTES - 1) / LOAD_BYTES)

// The words that hold COUNT samples; the first stands SKEW samples after the start of a word in
// every thread, so all loads are aligned.
template <int COUNT>
INLINE void load_words(unsigned (&raw)[WORDS_OF(COUNT) * LOAD_BYTES / 4], const in_t *first)
{
    const char *from = (const char *)(first - SKEW);
#pragma unroll
    for (int k = 0; k < WORDS_OF(COUNT); k++) {
#if LOAD_BYTES == 16
        const uint4 w = ((const uint4 *)from)[k];
        raw[4 * k] = w.x, raw[4 * k + 1] = w.y, raw[4 * k + 2] = w.z, raw[4 * k + 3] = w.w;
#elif LOAD_BYTES == 8
        const uint2 w = ((const uint2 *)from)[k];
        raw[2 * k] = w.x, raw[2 * k + 1] = w.y;
#else
        raw[k] = ((const unsigned *)from)[k];
#endif
    }
}
#endif

#if LOAD_BYTES
#define HELD(count) (WORDS_OF(count) * LOAD_BYTES / 4)
typedef unsigned held_t;
#else
#define HELD(count) (count)
typedef in_t held_t;
#endif

// COUNT samples from memory, as they are; all of them are in the picture.
template <int COUNT>
INLINE void fetch(held_t (&held)[HELD(COUNT)], const in_t *__restrict__ first)
{
#if LOAD_BYTES
    load_words<COUNT>(held, first);
#else
#pragma unroll
    for (int k = 0; k < COUNT; k++)
        held[k] = first[k];
#endif
}

template <int COUNT> INLINE void unpack(acc_t (&cells)[COUNT], const held_t (&held)[HELD(COUNT)])
{
#pragma unroll
    for (int k = 0; k < COUNT; k++) {
#if !LOAD_BYTES
        cells[k] = (acc_t)held[k];
#else
        constexpr int per = IN_BYTES < 4 ? 4 / IN_BYTES : 1;
        const int at = k + SKEW;
#if IN_BYTES == 1
        cells[k] = (acc_t)((held[at / per] >> (at % per * 8)) & 0xffu);
#elif IN_BYTES == 2
        cells[k] = (acc_t)((held[at / per] >> (at % per * 16)) & 0xffffu);
#elif IN_WHOLE
        cells[k] = (acc_t)(int)held[at / per];
#elif IN_BYTES == 4
        cells[k] = (acc_t)__uint_as_float(held[at / per]);
#else
        cells[k] = (acc_t)__hiloint2double((int)held[2 * at + 1], (int)held[2 * at]);
#endif
#endif
    }
}

// Cells of which some lie outside the picture.
template <int COUNT>
INLINE void cells_at_edge(acc_t (&cells)[COUNT], const in_t *__restrict__ row, int start,
                          const int *__restrict__ cols, int positions, acc_t border)
{
    acc_t edge[COUNT]; // in memory: a call needs its address
    gather<COUNT>(edge, row, start, cols, positions, border);
#pragma unroll
    for (int k = 0; k < COUNT; k++)
        cells[k] = edge[k];
}

// Cells [start, start + COUNT) of a row of the padded picture; the cells of the input itself
// begin at position `before`.
template <int COUNT>
INLINE void load(acc_t (&cells)[COUNT], const in_t *__restrict__ row, int start, int before,
                 int samples_in, const int *__restrict__ cols, int positions, acc_t border)
{
    const int first = start - before * CHANNELS;
    if (first >= 0 && first + COUNT <= samples_in) {
        held_t held[HELD(COUNT)];
        fetch<COUNT>(held, row + first);
        unpack<COUNT>(cells, held);
    } else {
        cells_at_edge<COUNT>(cells, row, start, cols, positions, border);
    }
}

// The rows that a thread reads one after another. Where they follow one another in memory too,
// which is nearly everywhere, no load has to wait for the map.
struct Walk {
    const int *__restrict__ rows;
    int top, first;
    bool straight;

    INLINE_MEMBER Walk(const int *__restrict__ rows, int top, int end) : rows(rows), top(top)
    {
        first = rows[top];
        straight = first >= 0 && rows[end - 1] - first == end - 1 - top;
    }
    INLINE_MEMBER int operator[](int at) const { return straight ? first + (at - top) : rows[at]; }
};

template <int COUNT> INLINE void fill(acc_t (&cells)[COUNT], acc_t value)
{
#pragma unroll
    for (int k = 0; k < COUNT; k++)
        cells[k] = value;
}

// The formula of convcli/engine/requantize.py, in its order and without contraction (--fmad=false),
// so that a sample rounds as it does on the CPU.
INLINE work_t response(acc_t sum)
{
    work_t value = (work_t)sum;
    if (SCALE != (work_t)1)
        value = value * SCALE;
    return COMBINE == MAGNITUDE ? value * value : value;
}

INLINE work_t combined(work_t one, work_t other)
{
    if (COMBINE == MAGNITUDE)
        return one + other;
    return one > other || one != one ? one : other; // as numpy.maximum: NaN wins
}

INLINE work_t shown(work_t value)
{
    if (COMBINE == MAGNITUDE)
        value = root(value);
    if (BIAS != (work_t)0)
        value = value + BIAS;
    if (ABSOLUTE)
        value = size(value);
    if (OFFSET != (work_t)0)
        value = value + OFFSET;
    if (RATIO != (work_t)1)
        value = value * RATIO;
    return value;
}

INLINE void report(unsigned long long *clipped, int outside)
{
    if (!CLIP)
        return;
    // Threads of a warp together, and many counters: where most samples clip, additions to one
    // address would take longer than the filter.
#if __CUDA_ARCH__ >= 800
    const unsigned together = __activemask();
    outside = __reduce_add_sync(together, outside);
    if ((threadIdx.x & 31) != __ffs((int)together) - 1) // a warp lies along x
        return;
#endif
    if (outside)
        atomicAdd(clipped + (blockIdx.x + blockIdx.y) % COUNTERS, (unsigned long long)outside);
}

// Two whole numbers as bytes, the nearest that there are; `above` follows them.
INLINE unsigned bytes_of(int first, int second, unsigned above)
{
#if __CUDA_ARCH__ >= 720
    unsigned word;
    asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, %3;" : "=r"(word) : "r"(second), "r"(first), "r"(above));
    return word;
#else
    return min(max(first, 0), 255) | min(max(second, 0), 255) << 8 | above << 16;
#endif
}

INLINE unsigned shorts_of(int first, int second)
{
#if __CUDA_ARCH__ >= 720
    unsigned word;
    asm("cvt.pack.sat.u16.s32 %0, %1, %2;" : "=r"(word) : "r"(second), "r"(first));
    return word;
#else
    return min(max(first, 0), 65535) | (unsigned)min(max(second, 0), 65535) << 16;
#endif
}

INLINE int nearest(int a) { return a; }
INLINE unsigned bits(int v) { return (unsigned)v; }
INLINE unsigned bits(float v) { return __float_as_uint(v); }

#if NX * OUT_BYTES % 4 == 0 // not so for the bank, which stores sample by sample
#define OUT_WORDS (NX * OUT_BYTES / 4)

INLINE void store_words(out_t *to, const unsigned (&raw)[OUT_WORDS])
{
#pragma unroll
    for (int k = 0; k < OUT_WORDS * 4 / STORE_BYTES; k++) {
#if STORE_BYTES == 16
        ((uint4 *)to)[k] =
            make_uint4(raw[4 * k], raw[4 * k + 1], raw[4 * k + 2], raw[4 * k + 3]);
#elif STORE_BYTES == 8
        ((uint2 *)to)[k] = make_uint2(raw[2 * k], raw[2 * k + 1]);
#else
        ((unsigned *)to)[k] = raw[k];
#endif
    }
}

// Rounds NX values, stores them, and returns how many of the first `valid` lie outside the range.
template <typename value_t> INLINE int store(out_t *to, const value_t (&values)[NX], int valid)
{
    unsigned raw[OUT_WORDS];
    int outside = 0;
#if OUT_WHOLE
    int whole[NX];
    int all = 0; // WHITE is 2^n - 1: a bit beyond it shows that something lies outside
#pragma unroll
    for (int n = 0; n < NX; n++) {
        whole[n] = nearest(values[n]);
        all |= whole[n];
    }
    if (CLIP && all & ~WHITE) {
#pragma unroll
        for (int n = 0; n < NX; n++)
            outside += n < valid && (whole[n] & ~WHITE);
    }
#pragma unroll
    for (int k = 0; k < OUT_WORDS; k++) {
#if OUT_BYTES == 1
        const unsigned above = bytes_of(whole[4 * k + 2], whole[4 * k + 3], 0);
        raw[k] = bytes_of(whole[4 * k], whole[4 * k + 1], above);
#else
        raw[k] = shorts_of(whole[2 * k], whole[2 * k + 1]);
#endif
    }
#else
#pragma unroll
    for (int n = 0; n < NX; n++) {
        const out_t value = (out_t)values[n];
#if OUT_BYTES == 8
        raw[2 * n] = (unsigned)__double2loint(value);
        raw[2 * n + 1] = (unsigned)__double2hiint(value);
#else
        raw[n] = bits(value);
#endif
    }
#endif
    store_words(to, raw);
    return outside;
}

// The formula on the sums of all members, and the samples stored as above.
INLINE int store_sums(out_t *to, const acc_t (&sums)[MEMBERS][NX], int valid)
{
    work_t values[NX];
#pragma unroll
    for (int n = 0; n < NX; n++) {
        work_t value = response(sums[0][n]);
#pragma unroll
        for (int p = 1; p < MEMBERS; p++)
            value = combined(value, response(sums[p][n]));
        values[n] = shown(value);
    }
    return store(to, values, valid);
}
#endif
