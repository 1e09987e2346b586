/* Sums of byte samples in 16 bits, two taps at a time. Included by sums.h with NARROW.
 *
 * VPMADDUBSW multiplies bytes by signed bytes and adds neighbours, so the runs of two taps are
 * interleaved and their weights held side by side. Measured on 24 megapixels of RGB, one thread,
 * AVX-512, in turn with the vector types of C, which widen every run to 16 bits: 11 ms for 16 of
 * them with sobel-x, 11 for 15 with a Laplacian, 13 for 25 with a box of 3x3 (10 with flat.h). */

#if VBYTES == 64
#define OUTSIDE(v) __builtin_popcount(_mm512_cmpgt_epu16_mask(v, _mm512_set1_epi16(255)))
#else
#define OUTSIDE(v)                                                                       \
    (__builtin_popcount(~(unsigned)_mm256_movemask_epi8(                                 \
         _mm256_cmpeq_epi16(_mm256_srli_epi16(v, 8), _mm256_setzero_si256()))) / 2)
#endif
typedef ISA(reg) SUM(reg);

#define BOTH(v)                                                                                  \
    {                                                                                            \
        const reg a = LOADED(p + v * VBYTES), b = LOADED(q + v * VBYTES);                        \
        lo##v = REG(add_epi16)(lo##v, REG(maddubs_epi16)(REG(unpacklo_epi8)(a, b), w));          \
        hi##v = REG(add_epi16)(hi##v, REG(maddubs_epi16)(REG(unpackhi_epi8)(a, b), w));          \
    }
#define CHUNK_OF_SUMS                                                                            \
    reg lo0 = {0}, lo1 = {0}, lo2 = {0}, lo3 = {0}, hi0 = {0}, hi1 = {0}, hi2 = {0}, hi3 = {0};  \
    for (long t = 0; t < pairs; t++) {                                                           \
        const uint8_t *p = source[2 * t] + from + x, *q = source[2 * t + 1] + from + x;          \
        const reg w = REG(set1_epi16)((short)weight[t]);                                         \
        BOTH(0) BOTH(1) BOTH(2) BOTH(3)                                                          \
    }

/* total[0..n) = sum over the pairs of taps; n is rounded up to whole chunks. */
static void SUM(taps)(T *restrict total, const uint8_t *const *restrict source,
                      const T *restrict weight, long pairs, long from, long n)
{
    typedef SUM(reg) reg;
    for (long x = 0; x < n; x += SUM(CHUNK)) {
        CHUNK_OF_SUMS
        /* Unpacking went by 16 bytes: bring their halves back into order. */
#if VBYTES == 64
        const reg first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
        const reg second = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
#define FIRST(v) _mm512_permutex2var_epi64(lo##v, first, hi##v)
#define SECOND(v) _mm512_permutex2var_epi64(lo##v, second, hi##v)
#else
#define FIRST(v) _mm256_permute2x128_si256(lo##v, hi##v, 0x20)
#define SECOND(v) _mm256_permute2x128_si256(lo##v, hi##v, 0x31)
#endif
#define PUT(v)                                            \
    STORED(total + x + v * VBYTES, FIRST(v));             \
    STORED(total + x + v * VBYTES + VBYTES / 2, SECOND(v));
        PUT(0) PUT(1) PUT(2) PUT(3)
#undef PUT
#undef FIRST
#undef SECOND
    }
}

/* The same, clamped to bytes, made absolute or divided first if the job says so, for whole chunks
 * of n: returns how many samples those are, and adds to the count of those outside the range. */
static long SUM(straight)(const Job *job, uint8_t *restrict out,
                          const uint8_t *const *restrict source, const T *restrict weight,
                          long pairs, long from, long n, long *outside)
{
    typedef SUM(reg) reg;
    long x = 0, some = 0;
    for (; x + SUM(CHUNK) <= n; x += SUM(CHUNK)) {
        CHUNK_OF_SUMS
        if (job->absolute && (T)-1 < 0) {
#define POSITIVE(v) lo##v = REG(abs_epi16)(lo##v), hi##v = REG(abs_epi16)(hi##v);
            POSITIVE(0) POSITIVE(1) POSITIVE(2) POSITIVE(3)
#undef POSITIVE
        }
        if (job->count) {
#define COUNT(v) some += OUTSIDE(lo##v) + OUTSIDE(hi##v);
            COUNT(0) COUNT(1) COUNT(2) COUNT(3)
#undef COUNT
        }
        if (job->multiply) {
            const reg add = REG(set1_epi16)((short)job->add);
            const reg multiply = REG(set1_epi16)((short)job->multiply);
#define DIVIDED(s) REG(srl_epi16)(REG(mulhi_epu16)(REG(add_epi16)(s, add), multiply), shift)
#define DIVIDE(v) lo##v = DIVIDED(lo##v), hi##v = DIVIDED(hi##v);
            const __m128i shift = _mm_cvtsi32_si128((int)job->shift);
            DIVIDE(0) DIVIDE(1) DIVIDE(2) DIVIDE(3)
#undef DIVIDE
#undef DIVIDED
        } else if ((T)-1 > 0) { /* packing takes the sums for signed */
            const reg white = REG(set1_epi16)(255);
#define LOW(v) lo##v = REG(min_epu16)(lo##v, white), hi##v = REG(min_epu16)(hi##v, white);
            LOW(0) LOW(1) LOW(2) LOW(3)
#undef LOW
        }
#define PUT(v) STORED(out + x + v * VBYTES, REG(packus_epi16)(lo##v, hi##v));
        PUT(0) PUT(1) PUT(2) PUT(3)
#undef PUT
    }
    *outside += some;
    return x;
}

#include "flat.h"

#undef BOTH
#undef CHUNK_OF_SUMS
#undef OUTSIDE
