// CUDA's words for g++: the real kernel source runs on the CPU, block by block, thread by thread.
// Kernels with barriers need fibers.h too, which BARRIERS asks for; those without keep a quick loop.
#define __global__
#define __device__
#define __constant__ static const
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)

struct Index {
    unsigned x, y, z;
};
static thread_local Index threadIdx, blockIdx, blockDim, gridDim;

// Aligned as on a GPU: the sanitizer stops at a load or store of a word that is not.
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w)
{
    return {x, y, z, w};
}

template <class To, class From> static inline To cast_bits(From from)
{
    static_assert(sizeof(To) == sizeof(From));
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}
static inline float __uint_as_float(unsigned v) { return cast_bits<float>(v); }
static inline unsigned __float_as_uint(float v) { return cast_bits<unsigned>(v); }
static inline double __hiloint2double(int hi, int lo)
{
    return cast_bits<double>((unsigned long long)(unsigned)hi << 32 | (unsigned)lo);
}
static inline int __double2loint(double v) { return (int)cast_bits<unsigned long long>(v); }
static inline int __double2hiint(double v) { return (int)(cast_bits<unsigned long long>(v) >> 32); }

static inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }
static inline float __fsqrt_rn(float a) { return __builtin_sqrtf(a); }
static inline double __dsqrt_rn(double a) { return __builtin_sqrt(a); }

// Half to even; what lies outside becomes the nearest number there is. Of NaN a float makes 0, a
// double the least number, as PTX says of `cvt`.
static inline int __double2int_rn(double a)
{
    if (a >= 2147483647.0)
        return 2147483647;
    return a > -2147483648.0 ? (int)__builtin_rint(a) : -2147483647 - 1;
}
static inline int __float2int_rn(float a) { return a == a ? __double2int_rn(a) : 0; }
static inline float fabsf(float a) { return __builtin_fabsf(a); }
static inline double fabs(double a) { return __builtin_fabs(a); }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline int abs(int a) { return a < 0 ? -a : a; }
static inline unsigned __byte_perm(unsigned low, unsigned high, unsigned which)
{
    unsigned word = 0;
    for (int b = 0; b < 4; b++) {
        const unsigned from = which >> 4 * b & 7;
        word |= ((from < 4 ? low >> 8 * from : high >> 8 * (from - 4)) & 0xff) << 8 * b;
    }
    return word;
}

template <class T> static inline T atomicAdd(T *at, T more)
{
    T before = *at;
    *at += more;
    return before;
}

#ifdef BARRIERS
#include "fibers.h"
#else
// Runs a block: each of its threads once.
template <class Thread> static void over_block(Thread thread)
{
    for (threadIdx.y = 0; threadIdx.y < blockDim.y; threadIdx.y++)
        for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++)
            thread();
}
#endif

// Runs a kernel over a grid; the arguments are those of the kernel.
template <class... Args>
static void over_grid(void (*kernel)(Args...), const unsigned *sizes, Args... args)
{
#ifdef BARRIERS
    const fibers::Alone alone;
#endif
    gridDim = {sizes[0], sizes[1], sizes[4]};
    blockDim = {sizes[2], sizes[3], 1};
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; blockIdx.z++)
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
        for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
            over_block([&] { kernel(args...); });
}

template <int... At> struct Places {
};
template <int Count, int... At> struct PlacesTo : PlacesTo<Count - 1, Count - 1, At...> {
};
template <int... At> struct PlacesTo<0, At...> {
    typedef Places<At...> type;
};
template <class... Args, int... At>
static void launch_with(void (*kernel)(Args...), const unsigned *sizes, void **arguments,
                        Places<At...>)
{
    over_grid(kernel, sizes, *(Args *)arguments[At]...);
}

// The same with the addresses of the arguments, as CUDA's launches take them.
template <class... Args>
static void launch(void (*kernel)(Args...), const unsigned *sizes, void **arguments)
{
    launch_with(kernel, sizes, arguments, typename PlacesTo<sizeof...(Args)>::type());
}
