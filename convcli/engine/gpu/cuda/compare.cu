// Samples as values of which the smaller and the larger are taken, and their way back to memory.
//
// Of 8 and 16 bits a value holds two samples, in the halves of a word, of two rows: so a sample at
// another column is another value, and no bits have to be shifted. They are compared as 16 bits.
// A byte stands in the upper byte of its half, and it does not matter what stands below it: a half
// that is less has an upper byte that is not more. Chips without such an instruction for whole
// numbers (before sm_90) have one for halves of floating point, whose bits sort as whole numbers up
// to 31743; there a byte stands below, with zeros above it. What neither is for (16 bits before
// sm_90) is compared as 32 bits, twice.
//
// Floats are compared as such: -0 is less than 0, and of NaN and a number either gives the number.
// Doubles are compared as whole numbers that sort alike, since float64 is slow on most chips.

// How many blocks have to run at once; the assembler decides where nothing is said.
#if BLOCKS
#define BOUNDS 128, BLOCKS
#else
#define BOUNDS 128
#endif

#if IN_BYTES <= 2
#define LANES 2
typedef unsigned value_t;
#elif IN_BYTES == 4
#define LANES 1
typedef float value_t;
#else
#define LANES 1
typedef long long value_t;
#endif

#if IN_BYTES == 1 && __CUDA_ARCH__ >= 800 && __CUDA_ARCH__ < 900
#define HALVES 1
#elif !defined(HALVES) // tests without a GPU set it
#define HALVES 0
#endif

template <typename T> INLINE T less_of(T a, T b) { return a < b ? a : b; }
template <typename T> INLINE T more_of(T a, T b) { return a < b ? b : a; }

#if IN_BYTES <= 2
INLINE unsigned lower(unsigned a, unsigned b)
{
#if __CUDA_ARCH__ >= 900
    asm("min.u16x2 %0, %0, %1;" : "+r"(a) : "r"(b));
    return a;
#elif HALVES && defined(__CUDA_ARCH__)
    asm("min.f16x2 %0, %0, %1;" : "+r"(a) : "r"(b));
    return a;
#else
    return __byte_perm(less_of(a << 16, b << 16), less_of(a, b), 0x7632);
#endif
}

INLINE unsigned upper(unsigned a, unsigned b)
{
#if __CUDA_ARCH__ >= 900
    asm("max.u16x2 %0, %0, %1;" : "+r"(a) : "r"(b));
    return a;
#elif HALVES && defined(__CUDA_ARCH__)
    asm("max.f16x2 %0, %0, %1;" : "+r"(a) : "r"(b));
    return a;
#else
    return __byte_perm(more_of(a << 16, b << 16), more_of(a, b), 0x7632);
#endif
}

// Sample `at` of a word of each row.
INLINE unsigned value_of(unsigned first, unsigned second, int at)
{
#if IN_BYTES == 2
    return __byte_perm(first, second, at ? 0x7632 : 0x5410);
#else
    const unsigned value = __byte_perm(first, second, 0x4400 + at * 0x1111);
    return HALVES ? value & 0x00ff00ff : value;
#endif
}

// The words of a row that values of neighbouring samples make.
INLINE unsigned word_of(const unsigned *values, int lane)
{
#if IN_BYTES == 2
    return __byte_perm(values[0], values[1], lane ? 0x7632 : 0x5410);
#else
    const unsigned low = __byte_perm(values[0], values[1], HALVES ? 0x6240 : 0x7351);
    const unsigned high = __byte_perm(values[2], values[3], HALVES ? 0x6240 : 0x7351);
    return __byte_perm(low, high, lane ? 0x7632 : 0x5410);
#endif
}

INLINE in_t sample_of(unsigned value, int lane)
{
    return (in_t)(value >> (lane * 16 + (IN_BYTES == 1 && !HALVES ? 8 : 0)));
}

#elif IN_BYTES == 4

// Of a float: whole numbers that sort alike; twice gives it back. NaN stands last.
INLINE int key_of(float a)
{
    const int bits = a == a ? (int)__float_as_uint(a) : 0x7fffffff;
    return bits ^ (bits >> 31 & 0x7fffffff);
}

INLINE float lower(float a, float b)
{
#ifdef __CUDA_ARCH__
    asm("min.f32 %0, %0, %1;" : "+f"(a) : "f"(b));
    return a;
#else
    return b != b || key_of(a) < key_of(b) ? a : b;
#endif
}

INLINE float upper(float a, float b)
{
#ifdef __CUDA_ARCH__
    asm("max.f32 %0, %0, %1;" : "+f"(a) : "f"(b));
    return a;
#else
    return a != a || (b == b && key_of(a) < key_of(b)) ? b : a;
#endif
}

typedef unsigned count_t; // keys, from the least one on
INLINE unsigned counted(float a) { return (unsigned)key_of(a) ^ 0x80000000u; }
INLINE float counted_back(unsigned count)
{
    const int key = (int)(count ^ 0x80000000u);
    return __uint_as_float((unsigned)(key ^ (key >> 31 & 0x7fffffff)));
}

INLINE bool lacks(float a) { return a != a; }
INLINE float value_of(unsigned bits, int) { return __uint_as_float(bits); }
INLINE unsigned word_of(const float *values, int) { return __float_as_uint(*values); }
INLINE in_t sample_of(float value, int) { return value; }

#else

// Of a double: whole numbers that sort alike; twice gives it back. NaN becomes ABSENT, which stands
// last, or first where the largest is looked for.
#define ABSENT (ABSENT_FIRST ? -0x7fffffffffffffffll - 1 : 0x7fffffffffffffffll)
INLINE long long mirrored(long long bits) { return bits ^ (bits >> 63 & 0x7fffffffffffffffll); }

INLINE long long value_of(unsigned low, unsigned high, int)
{
    const long long bits = (long long)((unsigned long long)high << 32 | low);
    return (bits & 0x7fffffffffffffffll) > 0x7ff0000000000000ll ? ABSENT : mirrored(bits);
}

INLINE long long lower(long long a, long long b) { return less_of(a, b); }
INLINE long long upper(long long a, long long b) { return more_of(a, b); }
INLINE in_t sample_of(long long value, int)
{
    const long long bits = mirrored(value);
    return __hiloint2double((int)(bits >> 32), (int)bits);
}

typedef unsigned long long count_t; // keys, from the least one on
INLINE count_t counted(double a)
{
    const long long key =
        value_of((unsigned)__double2loint(a), (unsigned)__double2hiint(a), 0);
    return (count_t)key ^ 0x8000000000000000ull;
}
INLINE double counted_back(count_t count)
{
    return sample_of((long long)(count ^ 0x8000000000000000ull), 0);
}

INLINE bool lacks(long long key) { return key == ABSENT; }
#endif

#if LOAD_BYTES == 16
typedef uint4 load_t;
#elif LOAD_BYTES == 8
typedef uint2 load_t;
#else
typedef unsigned load_t;
#endif

// Rounds and stores a row, or stores it as it is; returns how many samples lie outside the range.
INLINE int finish_row(out_t *to, const value_t (&values)[NX], int lane, int valid)
{
#if PLAIN
    unsigned raw[OUT_WORDS];
#if IN_BYTES == 8
#pragma unroll
    for (int n = 0; n < NX; n++) {
        const double value = sample_of(values[n], lane);
        raw[2 * n] = (unsigned)__double2loint(value);
        raw[2 * n + 1] = (unsigned)__double2hiint(value);
    }
#else
#pragma unroll
    for (int k = 0; k < OUT_WORDS; k++)
        raw[k] = word_of(values + k * (4 / IN_BYTES), lane);
#endif
    store_words(to, raw);
    return 0;
#else
    acc_t sums[1][NX];
#pragma unroll
    for (int n = 0; n < NX; n++)
        sums[0][n] = (acc_t)sample_of(values[n], lane);
    return store_sums(to, sums, valid);
#endif
}
