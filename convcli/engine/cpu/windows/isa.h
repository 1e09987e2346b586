/* Everything that depends on the instruction set. Included once per set by clones.h. */

/* Cells [first, stop) of a run of a row of the picture, samples as they are. */
static void ISA(copy_run)(const Job *j, int64_t row, const Run *run, long first, long stop, char *to)
{
    const long size = sample_size(j->p.type), cell = size * (long)j->p.channels;
    if (row < 0 || run->source < 0) {
        for (long k = 0; k < (stop - first) * j->p.channels; k++) memcpy(to + k * size, j->outside, size);
        return;
    }
    const char *from = j->src + (row * (long)j->p.width + run->source) * cell;
    if (run->step == 1)
        memcpy(to, from + (first - run->start) * cell, (size_t)((stop - first) * cell));
    else
        for (long c = first; c < stop; c++)
            memcpy(to + (c - first) * cell, from + (c - run->start) * run->step * cell, (size_t)cell);
}

/* A row of the tile's input. */
static void ISA(copy_row)(const Job *j, long r, char *to)
{
    const long cell = sample_size(j->p.type) * (long)j->p.channels;
    for (const Run *run = j->runs; run < j->runs + j->run_count; run++)
        ISA(copy_run)(j, j->rows[r], run, run->start, run->start + run->count, to + run->start * cell);
}

/* A vector to memory, past the caches. */
#if !defined(__x86_64__)
#define ALIGNED 0
#define STREAM(p, v) PUT(p) = (v)
#else
#define ALIGNED ((uintptr_t)j->dst % sizeof(KEY) == 0)
#if VBYTES == 64
#define STREAM(p, v) _mm512_stream_si512((void *)(p), (__m512i)(v))
#elif VBYTES == 32
#define STREAM(p, v) _mm256_stream_si256((__m256i *)(p), (__m256i)(v))
#else
#define STREAM(p, v) _mm_stream_si128((__m128i *)(p), (__m128i)(v))
#endif
#endif

#define KEY uint8_t
#define BITS 8
#define K(name) JOIN(ISA(8), name)
#include "runs.h"
#define KEY uint16_t
#define BITS 16
#define K(name) JOIN(ISA(16), name)
#include "runs.h"
#define KEY uint32_t
#define BITS 32
#define K(name) JOIN(ISA(32), name)
#include "runs.h"
#define KEY uint64_t
#define BITS 64
#define K(name) JOIN(ISA(64), name)
#include "runs.h"

#undef ALIGNED
#undef STREAM

static void ISA(extrema)(Job *j)
{
    switch (sample_size(j->p.type)) {
    case 1: JOIN(ISA(8), tile)(j); break;
    case 2: JOIN(ISA(16), tile)(j); break;
    case 4: JOIN(ISA(32), tile)(j); break;
    default: JOIN(ISA(64), tile)(j);
    }
}

#define S uint8_t
#define SQUARES int32_t
#define M(name) JOIN(ISA(B), name)
#include "moments.h"
#undef S
#undef M
#define S int8_t
#define M(name) JOIN(ISA(b), name)
#include "moments.h"
#undef S
#undef M
#undef SQUARES
#define SQUARES int64_t
#define S uint16_t
#define M(name) JOIN(ISA(H), name)
#include "moments.h"
#undef S
#undef M
#define S int16_t
#define M(name) JOIN(ISA(h), name)
#include "moments.h"
#undef S
#undef M
#undef SQUARES

static void ISA(moments)(Job *j)
{
    switch (j->p.type) {
    case 'B': JOIN(ISA(B), tile)(j); break;
    case 'b': JOIN(ISA(b), tile)(j); break;
    case 'H': JOIN(ISA(H), tile)(j); break;
    default: JOIN(ISA(h), tile)(j);
    }
}

/* The largest of two vectors, and of the lanes of one; counts of 16 bits are below 32768. */
#if !defined(__x86_64__)
#define LARGER(a, b) (((a) & (__typeof__(a))((a) > (b))) | ((b) & ~(__typeof__(a))((a) > (b))))
#define MOST8 LARGER
#define MOST16 LARGER
#define WIDE16(v) __builtin_convertvector(v, ISA(many_vec))
static int ISA(top8)(const void *v)
{
    int top = 0;
    for (int i = 0; i < VBYTES; i++) top = ((const uint8_t *)v)[i] > top ? ((const uint8_t *)v)[i] : top;
    return top;
}
static int ISA(top16)(const void *v)
{
    int top = 0;
    for (int i = 0; i < VBYTES / 2; i++)
        top = ((const int16_t *)v)[i] > top ? ((const int16_t *)v)[i] : top;
    return top;
}
#define TOP8(v) ISA(top8)(&(v))
#define TOP16(v) ISA(top16)(&(v))
#else
#if VBYTES == 64
#define MOST8(a, b) (ISA(few_vec)) _mm512_max_epu8((__m512i)(a), (__m512i)(b))
#define MOST16(a, b) (ISA(many_vec)) _mm512_max_epi16((__m512i)(a), (__m512i)(b))
#define WIDE16(v) (ISA(many_vec)) _mm512_cvtepi8_epi16((__m256i)(v))
#define FOLDED(v, most)                                                             \
    most(most(_mm512_castsi512_si128((__m512i)(v)), _mm512_extracti32x4_epi32((__m512i)(v), 1)), \
         most(_mm512_extracti32x4_epi32((__m512i)(v), 2), _mm512_extracti32x4_epi32((__m512i)(v), 3)))
#elif VBYTES == 32
#define MOST8(a, b) (ISA(few_vec)) _mm256_max_epu8((__m256i)(a), (__m256i)(b))
#define MOST16(a, b) (ISA(many_vec)) _mm256_max_epi16((__m256i)(a), (__m256i)(b))
#define WIDE16(v) (ISA(many_vec)) _mm256_cvtepi8_epi16((__m128i)(v))
#define FOLDED(v, most) \
    most(_mm256_castsi256_si128((__m256i)(v)), _mm256_extracti128_si256((__m256i)(v), 1))
#else
#define MOST8(a, b) (ISA(few_vec)) _mm_max_epu8((__m128i)(a), (__m128i)(b))
#define MOST16(a, b) (ISA(many_vec)) _mm_max_epi16((__m128i)(a), (__m128i)(b))
#define WIDE16(v) \
    (ISA(many_vec)) _mm_srai_epi16(_mm_unpacklo_epi8(_mm_setzero_si128(), ISA(half)(&(v))), 8)
#define FOLDED(v, most) ((__m128i)(v))
static inline __m128i ISA(half)(const void *v) { return _mm_loadl_epi64((const __m128i *)v); }
#endif
static inline __attribute__((always_inline)) int ISA(top8)(__m128i v)
{
    v = _mm_max_epu8(v, _mm_srli_si128(v, 8)), v = _mm_max_epu8(v, _mm_srli_si128(v, 4));
    v = _mm_max_epu8(v, _mm_srli_si128(v, 2)), v = _mm_max_epu8(v, _mm_srli_si128(v, 1));
    return _mm_cvtsi128_si32(v) & 255;
}
static inline __attribute__((always_inline)) int ISA(top16)(__m128i v)
{
    v = _mm_max_epi16(v, _mm_srli_si128(v, 8)), v = _mm_max_epi16(v, _mm_srli_si128(v, 4));
    v = _mm_max_epi16(v, _mm_srli_si128(v, 2));
    return _mm_cvtsi128_si32(v) & 65535;
}
#define TOP8(v) ISA(top8)(FOLDED(v, _mm_max_epu8))
#define TOP16(v) ISA(top16)(FOLDED(v, _mm_max_epi16))
#endif

#define COUNT uint8_t
#define V(name) JOIN(ISA(few), name)
#define MOST MOST8
#define WIDE(v) (ISA(few_vec))(v)
#define TOP TOP8
#include "box_modes.h"
#undef COUNT
#undef V
#undef MOST
#undef WIDE
#undef TOP
#define COUNT int16_t
#define V(name) JOIN(ISA(many), name)
#define MOST MOST16
#define WIDE WIDE16
#define TOP TOP16
#include "box_modes.h"
#undef COUNT
#undef V
#undef MOST
#undef WIDE
#undef TOP
#undef MOST8
#undef MOST16
#undef WIDE16
#undef TOP8
#undef TOP16
#undef FOLDED
#undef LARGER

/* A strip of one channel: results from column `left` on, `count` of them. */
static void ISA(box_strip)(const Job *j, long c, long left, long count)
{
    const long group = (long)j->p.channels, tall = (long)j->p.tall, wide = (long)j->p.wide;
    const long taken = count + wide - 1;
    uint8_t *columns = (uint8_t *)j->spare;
    memset(columns, 0, (size_t)taken * 256);
    for (long r = 0; r < j->in_rows; r++) {
        const uint8_t *row = (const uint8_t *)j->held + r * j->pitch + left * group + c;
        const uint8_t *old = row - tall * j->pitch;
        for (long x = 0; x < taken; x++) {
            if (r >= tall) columns[x * 256 + old[x * group]]--;
            columns[x * 256 + row[x * group]]++;
        }
        if (j->p.skip) /* what does not vote */
            for (long x = 0; x < taken; x++) columns[x * 256 + 255] = 0;
        if (r < tall - 1) continue;
        uint8_t *to = (uint8_t *)j->dst + c +
                      ((j->top + r - tall + 1) * (long)j->p.out_cols + j->left + left) * group;
        if (j->p.cells < 256)
            JOIN(ISA(few), along)(columns, wide, count, to, group);
        else
            JOIN(ISA(many), along)(columns, wide, count, to, group);
    }
}

static void ISA(box_modes)(Job *j)
{
    for (long r = 0; r < j->in_rows; r++) ISA(copy_row)(j, r, j->held + r * j->pitch);
    for (long c = 0; c < j->p.channels; c++)
        for (long left = 0; left < j->width; left += j->strip)
            ISA(box_strip)(j, c, left, j->width - left < j->strip ? j->width - left : j->strip);
}

#define COUNT uint16_t
#define C(name) JOIN(ISA(short), name)
#include "modes.h"
#undef COUNT
#undef C
#define COUNT uint32_t
#define C(name) JOIN(ISA(long), name)
#include "modes.h"
#undef COUNT
#undef C

static void ISA(modes)(Job *j)
{
    if (is_box(j))
        ISA(box_modes)(j);
    else if (j->p.cells < 256)
        JOIN(ISA(short), tile)(j);
    else
        JOIN(ISA(long), tile)(j);
}

#define REAL float
#define BITS 32
#define B(name) JOIN(ISA(single), name)
#include "bilateral.h"
#undef B
#undef BITS
#undef REAL
#define REAL double
#define BITS 64
#define B(name) JOIN(ISA(twice), name)
#include "bilateral.h"
#undef B
#undef BITS
#undef REAL

static void ISA(bilateral)(Job *j)
{
    if (j->p.type == 'd')
        JOIN(ISA(twice), tile)(j);
    else
        JOIN(ISA(single), tile)(j);
}

static const Isa ISA(isa) = {ISA_NAME, ISA(extrema), ISA(moments), ISA(modes), ISA(bilateral)};
