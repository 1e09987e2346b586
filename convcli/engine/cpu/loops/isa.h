/* Everything that depends on the instruction set. Included once per set by clones.h. */

#define NACC 8 /* accumulators */

#if VBYTES == 64
#define REG(name) _mm512_##name
#define LOADED(p) _mm512_loadu_si512((const void *)(p))
#define STORED(p, v) _mm512_storeu_si512((void *)(p), v)
typedef __m512i ISA(reg);
#elif VBYTES == 32
#define REG(name) _mm256_##name
#define LOADED(p) _mm256_loadu_si256((const __m256i *)(p))
#define STORED(p, v) _mm256_storeu_si256((__m256i *)(p), v)
typedef __m256i ISA(reg);
#endif

#if VBYTES > 16
/* Two registers of 16 bits, at most 255 each, as bytes. */
static inline __attribute__((always_inline)) ISA(reg) ISA(packed)(ISA(reg) low, ISA(reg) high)
{
    const ISA(reg) out_of_order = REG(packus_epi16)(low, high); /* by 16 bytes */
#if VBYTES == 64
    return _mm512_permutexvar_epi64(_mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0), out_of_order);
#else
    return _mm256_permute4x64_epi64(out_of_order, 0xD8);
#endif
}
#endif

/* Copy past the caches: what is written there is not read first, a third of the traffic. */
static void ISA(stream)(char *restrict to, const char *restrict from, size_t bytes)
{
#if defined(__x86_64__)
    size_t at = -(uintptr_t)to & 63;
    if (at > bytes) at = bytes;
    memcpy(to, from, at);
    for (; at + 64 <= bytes; at += 64)
#if VBYTES == 64
        _mm512_stream_si512((void *)(to + at), _mm512_loadu_si512((const void *)(from + at)));
#elif VBYTES == 32
        for (size_t k = at; k < at + 64; k += 32)
            _mm256_stream_si256((void *)(to + k), _mm256_loadu_si256((const void *)(from + k)));
#else
        for (size_t k = at; k < at + 64; k += 16)
            _mm_stream_si128((void *)(to + k), _mm_loadu_si128((const void *)(from + k)));
#endif
    memcpy(to + at, from + at, bytes - at);
#else
    memcpy(to, from, bytes);
#endif
}

#define FIN_SQRT(x) 0
#define FIN_COUNTER int16_t
#define FIN_LOW 0
#define FIN_HIGH 0
#define FIN_ABOVE(v, high) ((v) > (high))
#define FIN_CAST (long)
#define FIN_WHOLE(t) (t)
#define W int16_t
#define FIN(name) ISA(name##_h)
#include "finish.h"
#undef W
#undef FIN
#define W uint16_t
#define FIN(name) ISA(name##_H)
#include "finish.h"
#undef W
#undef FIN
#undef FIN_SQRT
#undef FIN_LOW
#undef FIN_HIGH
#undef FIN_ABOVE
#undef FIN_CAST
#undef FIN_WHOLE
#undef FIN_COUNTER

#define FIN_LOW -0.5
#define FIN_HIGH 0.5
#define FIN_ABOVE(v, high) ((v) >= (high))
#define FIN_CAST
#define W float
#define FIN_FLOAT
#define FIN_COUNTER int32_t
#define FIN(name) ISA(name##_f)
#define FIN_SQRT(x) __builtin_sqrtf(x)
#define FIN_WHOLE(t) whole_f(t)
#include "finish.h"
#undef W
#undef FIN_FLOAT
#undef FIN
#undef FIN_SQRT
#undef FIN_WHOLE
#undef FIN_COUNTER
#define W double
#define FIN_DOUBLE
#define FIN_COUNTER int64_t
#define FIN(name) ISA(name##_d)
#define FIN_SQRT(x) __builtin_sqrt(x)
#define FIN_WHOLE(t) whole_d(t)
#include "finish.h"
#undef W
#undef FIN_DOUBLE
#undef FIN
#undef FIN_SQRT
#undef FIN_WHOLE
#undef FIN_LOW
#undef FIN_HIGH
#undef FIN_ABOVE
#undef FIN_CAST
#undef FIN_COUNTER

/* Sums of type T to the working type, if that is another, then the formula. */
#define FINISH(code)                                                                          \
    static long ISA(finish_##code)(const Job *job, T *restrict total, void *restrict work,    \
                                   void *restrict kept, long plane, long row, long from,      \
                                   long n)                                                    \
    {                                                                                         \
        if (job->work == #code[0]) return ISA(row_##code)(job, total, kept, plane, row, from, n);   \
        if (job->work == 'f') {                                                               \
            float *v = work;                                                                  \
            for (long i = 0; i < n; i++) v[i] = (float)total[i];                              \
            return ISA(row_f)(job, v, kept, plane, row, from, n);                                   \
        }                                                                                     \
        double *v = work;                                                                     \
        for (long i = 0; i < n; i++) v[i] = (double)total[i];                                 \
        return ISA(row_d)(job, v, kept, plane, row, from, n);                                       \
    }

#define SUMINT long
#define T int16_t
#define FINISHED ISA(finish_h)
FINISH(h)
#define R int16_t
#define RCODE 'h'
#define SUM(name) ISA(name##_h)
#include "sums.h"
#undef R
#undef RCODE
#undef SUM
#if VBYTES > 16
#define R uint8_t
#define RCODE 'B'
#define NARROW
#define SUM(name) ISA(name##_hB)
#include "sums.h"
#undef NARROW
#undef R
#undef RCODE
#undef SUM
#endif
#undef T
#undef FINISHED
#define T uint16_t
#define FINISHED ISA(finish_H)
FINISH(H)
#define R uint16_t
#define RCODE 'H'
#define SUM(name) ISA(name##_H)
#include "sums.h"
#undef R
#undef RCODE
#undef SUM
#if VBYTES > 16
#define R uint8_t
#define RCODE 'B'
#define NARROW
#define SUM(name) ISA(name##_HB)
#include "sums.h"
#undef NARROW
#undef R
#undef RCODE
#undef SUM
#endif
#undef T
#undef FINISHED
#undef SUMINT
#define SUMINT double
#define T float
#define R float
#define RCODE 'f'
#define FINISHED ISA(finish_f)
FINISH(f)
#define SUM(name) ISA(name##_f)
#include "sums.h"
#undef R
#undef RCODE
#undef T
#undef SUM
#undef FINISHED
#define T double
#define R double
#define RCODE 'd'
#define FINISHED ISA(finish_d)
FINISH(d)
#define SUM(name) ISA(name##_d)
#include "sums.h"
#undef R
#undef RCODE
#undef T
#undef SUM
#undef FINISHED
#undef SUMINT
#undef FINISH

#include "box.h"
#if VBYTES > 16
#include "blur.h"
#endif

static long ISA(tile)(const Job *job)
{
    switch (job->sum_type) {
    case 'i': return ISA(tile_box)(job);
#if VBYTES > 16
    case 'q': return ISA(tile_blur)(job);
#endif
    case 'h':
#if VBYTES > 16
        if (job->narrow) return ISA(tile_hB)(job);
#endif
        return ISA(tile_h)(job);
    case 'H':
#if VBYTES > 16
        if (job->narrow) return ISA(tile_HB)(job);
#endif
        return ISA(tile_H)(job);
    case 'f': return ISA(tile_f)(job);
    default: return ISA(tile_d)(job);
    }
}

/* A transform's tile: rows of the picture to planes of one channel each, and back. */
static void ISA(planes)(const Job *job, void *planes)
{
    const long height = job->bottom - job->top, width = job->right - job->left;
    for (long r = 0; r < height; r++) {
        const void *row = ISA(row_at)(job, job->top + r);
        for (long c = 0; c < job->channels; c++) {
            const size_t place = (size_t)((c * height + r) * width);
            if (job->sum_type == 'f')
                ISA(fill_f)((float *)planes + place, row, job->src_type, &job->fills[c]);
            else
                ISA(fill_d)((double *)planes + place, row, job->src_type, &job->fills[c]);
        }
    }
}

static long ISA(finish)(const Job *job, const Sums *s, void *work)
{
    const int in_floats = job->sum_type == 'f';
    long clipped = 0;
    for (long r = 0; r < s->rows; r++) {
        const float *f = (const float *)s->sums + r * s->pitch;
        const double *d = (const double *)s->sums + r * s->pitch;
        if (job->work == 'f') {
            float *v = work;
            if (in_floats) memcpy(v, f, (size_t)s->cols * sizeof *v);
            else for (long i = 0; i < s->cols; i++) v[i] = (float)(job->whole ? __builtin_rint(d[i]) : d[i]);
            if (in_floats && job->whole)
                for (long i = 0; i < s->cols; i++) v[i] = __builtin_rintf(v[i]);
            clipped += ISA(row_f)(job, v, NULL, s->channel, job->top + r, 0, s->cols);
        } else {
            double *v = work;
            for (long i = 0; i < s->cols; i++) v[i] = in_floats ? (double)f[i] : d[i];
            if (job->whole)
                for (long i = 0; i < s->cols; i++) v[i] = __builtin_rint(v[i]);
            clipped += ISA(row_d)(job, v, NULL, s->channel, job->top + r, 0, s->cols);
        }
    }
    return clipped;
}

#include "missing.h"

static const Isa ISA(isa) = {ISA_NAME, ISA(tile), ISA(planes), ISA(finish), ISA(known), ISA(voted), VBYTES > 16};

#if VBYTES > 16
#undef REG
#undef LOADED
#undef STORED
#endif
#undef NACC
