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
// Borders. No kernel knows one. Rows and samples are counted in the padded picture: output row o
// begins at row o * STRIDE_H, output sample x at sample x * STRIDE_W. Whoever reads (a thread, or a
// block through shared memory) asks once, VIEW(start, row, end_row, span), and gets `from` and
// `pitch`: row r, sample s of what it asked for is from[r * pitch + s]. That is the picture where
// rows [row, end_row) and samples [start, start + span) lie in it, else a part of the frame, which
// frame.cu has filled: a band above or below (rows that leave the picture, full width), or a strip
// at the left or right (the other rows). frame_layout.py lays the parts out for readers of one size, at
// multiples of one step; both must be the same there and here. Words that hold samples of the span
// may be read whole: their alignment is the picture's, sample `start` SKEW samples after a word.

#define INLINE static __device__ __forceinline__
#define INLINE_MEMBER __device__ __forceinline__
#define AT(n) ((n) / CHANNELS * (STRIDE_W * CHANNELS) + (n) % CHANNELS)
#define TAP (DILATION_W * CHANNELS)
#define ARGUMENTS                                                                              \
    const in_t *__restrict__ in, const in_t *__restrict__ frame, out_t *__restrict__ out,      \
        const acc_t *__restrict__ weights, unsigned long long *clipped, long long pitch_in,    \
        long long pitch_out, VIEW_ARGUMENTS, int samples_out, int rows_out, int rows_per_thread

// Where row 0, sample 0 of the padded picture would lie in the picture and in each part of its
// frame, and which rows and samples are the picture's.
#define VIEW_ARGUMENTS                                                                         \
    long long pitch_bands, long long pitch_strips, long long picture_at, long long top_at,     \
        long long bottom_at, long long left_at, long long right_at, int rows_from,             \
        int rows_to, int samples_from, int samples_to

#define VIEW(start, row, end_row, span)                                                        \
    const in_t *from = in + picture_at;                                                        \
    long long pitch = pitch_in;                                                                \
    if ((row) < rows_from || (end_row) > rows_to) {                                            \
        from = frame + ((row) < rows_from ? top_at : bottom_at);                               \
        pitch = pitch_bands;                                                                   \
    } else if ((start) < samples_from || (start) + (span) > samples_to) {                      \
        from = frame + ((start) < samples_from ? left_at : right_at);                          \
        pitch = pitch_strips;                                                                  \
    }                                                                                          \
    from += (row) * pitch + (start);

// For __launch_bounds__: threads of a block, and of blocks one where there are many sums, since the
// assembler would spill a register to have room for more.
#if MEMBERS > 1
#define BOUNDS 128, 1
#else
#define BOUNDS 128
#endif

// Where a thread stands: NX samples from `x` on, rows [top, bottom) of the output; threads beyond
// it leave.
#define PLACE(rows_each)                                                                       \
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * NX;                                \
    const int top = (blockIdx.y * blockDim.y + threadIdx.y) * (rows_each);                     \
    if (x >= samples_out || top >= rows_out)                                                   \
        return;                                                                                \
    const int bottom = min(top + (rows_each), rows_out);

// The rows that it reads end here.
#define END_ROW ((bottom - 1) * STRIDE_H + (KERNEL_H - 1) * DILATION_H + 1)

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

// COUNT samples from memory, as they are.
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

// A byte or a short of a word as a number. One instruction converts either, but only 16 lanes of a
// multiprocessor do; a permutation that puts it into the low bits of 2^23, and a subtraction, are
// two on lanes that are idle. Half of the samples go each way.
INLINE unsigned two_to_23()
{
    unsigned bits = 0x4b000000;
#if __CUDA_ARCH__
    asm("mov.b32 %0, 0x4b000000;" : "=r"(bits)); // one register, not a constant everywhere
#endif
    return bits;
}
INLINE void number(float &cell, unsigned word, int at)
{
    constexpr int per = 4 / IN_BYTES;
    const unsigned moved = word >> at % per * (IN_BYTES * 8);
    if (IN_BYTES == 1 ? at % 4 : at % 2)
        cell = __uint_as_float(__byte_perm(word, two_to_23(),
                                           IN_BYTES == 1 ? 0x7650 + at % per : 0x7632)) -
               8388608.0f;
#if __CUDA_ARCH__
    else if (IN_BYTES == 1)
        asm("cvt.rn.f32.u8 %0, %1;" : "=f"(cell) : "r"(moved));
    else
        asm("cvt.rn.f32.u16 %0, %1;" : "=f"(cell) : "r"(moved));
#else
    else
        cell = (float)(moved & (IN_BYTES == 1 ? 0xffu : 0xffffu));
#endif
}
template <typename cell_t> INLINE void number(cell_t &cell, unsigned word, int at)
{
    constexpr int per = 4 / IN_BYTES;
    cell = (cell_t)(word >> at % per * (IN_BYTES * 8) & (IN_BYTES == 1 ? 0xffu : 0xffffu));
}

// Cell `k` of those that were fetched.
template <int COUNT> INLINE acc_t cell_of(const held_t (&held)[COUNT], int k)
{
#if !LOAD_BYTES
    return (acc_t)held[k];
#else
    const int at = k + SKEW;
#if IN_BYTES <= 2
    acc_t cell;
    number(cell, held[at / (4 / IN_BYTES)], at);
    return cell;
#elif IN_WHOLE
    return (acc_t)(int)held[at];
#elif IN_BYTES == 4
    return (acc_t)__uint_as_float(held[at]);
#else
    return (acc_t)__hiloint2double((int)held[2 * at + 1], (int)held[2 * at]);
#endif
#endif
}

// COUNT cells of a row, from `first` on.
template <int COUNT> INLINE void load(acc_t (&cells)[COUNT], const in_t *__restrict__ first)
{
    held_t held[HELD(COUNT)];
    fetch<COUNT>(held, first);
#pragma unroll
    for (int k = 0; k < COUNT; k++)
        cells[k] = cell_of(held, k);
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

// How many samples of a thread are the picture's, found out only where it is asked: nearly nobody
// asks, and a register that is kept for it is dear.
struct Valid {
    int samples_out;

    INLINE_MEMBER operator int() const
    {
#if __CUDA_ARCH__
        unsigned block, size, thread; // again, and not from a register
        asm volatile("mov.u32 %0, %%ctaid.x;" : "=r"(block));
        asm volatile("mov.u32 %0, %%ntid.x;" : "=r"(size));
        asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
        return samples_out - (int)(block * size + thread) * NX;
#else
        return samples_out - (int)(blockIdx.x * blockDim.x + threadIdx.x) * NX;
#endif
    }
};

// Rounds NX values, stores them, and returns how many of the first `valid` lie outside the range.
template <typename value_t, typename valid_t>
INLINE int store(out_t *to, const value_t (&values)[NX], valid_t valid)
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
        const int own = valid;
        if (own < NX) { // at the end of a row alone
#pragma unroll
            for (int n = 0; n < NX; n++)
                if (n >= own)
                    whole[n] = 0;
        }
#pragma unroll
        for (int n = 0; n < NX; n++)
            outside += (whole[n] & ~WHITE) != 0;
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
template <typename valid_t>
INLINE int store_sums(out_t *to, const acc_t (&sums)[MEMBERS][NX], valid_t valid)
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
