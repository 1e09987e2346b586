/* Everything that depends on the instruction set. Included once per set by clones.h. */

/* A row of the tile's input, samples as they are. */
static void ISA(copy_row)(const Job *j, long r, char *to)
{
    const long size = sample_size(j->p.type), cell = size * (long)j->p.channels;
    const int64_t row = j->rows[r];
    for (const Run *run = j->runs; run < j->runs + j->run_count; run++) {
        char *at = to + run->start * cell;
        if (row < 0 || run->source < 0)
            for (long k = 0; k < run->count * j->p.channels; k++) memcpy(at + k * size, j->outside, size);
        else
            memcpy(at, j->src + (row * j->p.width + run->source) * cell, (size_t)(run->count * cell));
    }
}

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

static const Isa ISA(isa) = {ISA_NAME, ISA(extrema), ISA(moments), ISA(modes)};
