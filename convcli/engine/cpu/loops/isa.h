/* Everything that depends on the instruction set. Included once per set by loops.c, with
 * ISA(name), VBYTES (bytes of a vector register) and NACC (accumulators, always 8) defined. */

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
#define FIN_COUNTER int32_t
#define FIN(name) ISA(name##_f)
#define FIN_SQRT(x) __builtin_sqrtf(x)
#define FIN_WHOLE(t) whole_f(t)
#include "finish.h"
#undef W
#undef FIN
#undef FIN_SQRT
#undef FIN_WHOLE
#undef FIN_COUNTER
#define W double
#define FIN_COUNTER int64_t
#define FIN(name) ISA(name##_d)
#define FIN_SQRT(x) __builtin_sqrt(x)
#define FIN_WHOLE(t) whole_d(t)
#include "finish.h"
#undef W
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
                                   void *restrict kept, long plane, long row, long n)         \
    {                                                                                         \
        if (job->work == #code[0]) return ISA(row_##code)(job, total, kept, plane, row, n);   \
        if (job->work == 'f') {                                                               \
            float *v = work;                                                                  \
            for (long i = 0; i < n; i++) v[i] = (float)total[i];                              \
            return ISA(row_f)(job, v, kept, plane, row, n);                                   \
        }                                                                                     \
        double *v = work;                                                                     \
        for (long i = 0; i < n; i++) v[i] = (double)total[i];                                 \
        return ISA(row_d)(job, v, kept, plane, row, n);                                       \
    }

#define SUMINT long
#define T int16_t
#define SUM(name) ISA(name##_h)
FINISH(h)
#include "sums.h"
#undef T
#undef SUM
#define T uint16_t
#define SUM(name) ISA(name##_H)
FINISH(H)
#include "sums.h"
#undef T
#undef SUM
#undef SUMINT
#define SUMINT double
#define T float
#define SUM(name) ISA(name##_f)
FINISH(f)
#include "sums.h"
#undef T
#undef SUM
#define T double
#define SUM(name) ISA(name##_d)
FINISH(d)
#include "sums.h"
#undef T
#undef SUM
#undef SUMINT
#undef FINISH

#include "box.h"

static long ISA(tile)(const Job *job)
{
    switch (job->sum_type) {
    case 'i': return ISA(tile_box)(job);
    case 'h': return ISA(tile_h)(job);
    case 'H': return ISA(tile_H)(job);
    case 'f': return ISA(tile_f)(job);
    default: return ISA(tile_d)(job);
    }
}
