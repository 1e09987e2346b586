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

#define COUNT uint16_t
#define C(name) JOIN(ISA(few), name)
#include "modes.h"
#undef COUNT
#undef C
#define COUNT uint32_t
#define C(name) JOIN(ISA(many), name)
#include "modes.h"
#undef COUNT
#undef C

static void ISA(modes)(Job *j)
{
    if (j->p.cells < 256)
        JOIN(ISA(few), tile)(j);
    else
        JOIN(ISA(many), tile)(j);
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
