/* Everything that depends on the instruction set. Included once per set by clones.h. */

/* Samples to keys and back: unsigned ones move down by half their range; floats are turned round
 * below zero, where their bits count backwards. */
#define TURN32(b) ((b) ^ (((b) >> 31) & INT32_MAX))
#define TURN64(b) ((b) ^ (((b) >> 63) & INT64_MAX))

#define SIGNED(name, S, K, flip)                                                            \
    static int ISA(load_##name)(const S *restrict from, long leap, long n, long group,      \
                                K *restrict to)                                             \
    {                                                                                       \
        if (leap == 1 || n == 1) {                                                          \
            for (long i = 0; i < n * group; i++) to[i] = (K)(from[i] ^ (flip));             \
            return 0;                                                                       \
        }                                                                                   \
        for (long i = 0; i < n; i++)                                                        \
            for (long c = 0; c < group; c++)                                                \
                to[i * group + c] = (K)(from[i * leap * group + c] ^ (flip));               \
        return 0;                                                                           \
    }                                                                                       \
    static void ISA(put_##name)(const K *restrict from, long n, S *restrict to)             \
    {                                                                                       \
        for (long i = 0; i < n; i++) to[i] = (S)(from[i] ^ (flip));                         \
    }
SIGNED(B, uint8_t, int8_t, -128)
SIGNED(b, int8_t, int8_t, 0)
SIGNED(H, uint16_t, int16_t, -32768)
SIGNED(h, int16_t, int16_t, 0)
SIGNED(I, uint32_t, int32_t, INT32_MIN)
SIGNED(i, int32_t, int32_t, 0)
SIGNED(L, uint64_t, int64_t, INT64_MIN)
SIGNED(l, int64_t, int64_t, 0)
#undef SIGNED

#define FLOATING(name, K, most, infinite, turn)                                             \
    static int ISA(load_##name)(const K *restrict from, long leap, long n, long group,      \
                                K *restrict to)                                             \
    {                                                                                       \
        K missing = 0;                                                                      \
        if (leap == 1 || n == 1) leap = 1, n *= group, group = 1;                           \
        for (long i = 0; leap == 1 && i < n; i++) {                                         \
            const K b = from[i], nan = (b & most) > infinite ? -1 : 0;                      \
            missing |= nan;                                                                 \
            to[i] = nan ? most : turn(b);                                                   \
        }                                                                                   \
        for (long i = 0; leap != 1 && i < n; i++)                                           \
            for (long c = 0; c < group; c++) {                                              \
                const K b = from[i * leap * group + c], nan = (b & most) > infinite ? -1 : 0; \
                missing |= nan;                                                             \
                to[i * group + c] = nan ? most : turn(b);                                   \
            }                                                                               \
        return missing != 0;                                                                \
    }                                                                                       \
    static void ISA(put_##name)(const K *restrict from, long n, K *restrict to)             \
    {                                                                                       \
        for (long i = 0; i < n; i++) to[i] = turn(from[i]);                                 \
    }
FLOATING(f, int32_t, INT32_MAX, 0x7f800000, TURN32)
FLOATING(d, int64_t, INT64_MAX, 0x7ff0000000000000, TURN64)
#undef FLOATING

/* Letters of the types and their keys; float64 is what is left. */
#define TYPES(X)                                                                            \
    X('B', B, uint8_t, int8_t) X('b', b, int8_t, int8_t)                                    \
    X('H', H, uint16_t, int16_t) X('h', h, int16_t, int16_t)                                \
    X('I', I, uint32_t, int32_t) X('i', i, int32_t, int32_t)                                \
    X('L', L, uint64_t, int64_t) X('l', l, int64_t, int64_t) X('f', f, int32_t, int32_t)

/* A run of samples as keys; says whether NaN is among them. */
static int ISA(load)(int64_t type, const char *from, long leap, long n, long group, char *to)
{
    switch (type) {
#define CASE(letter, code, S, K) \
    case letter: return ISA(load_##code)((const S *)from, leap, n, group, (K *)to);
        TYPES(CASE)
    default: return ISA(load_d)((const int64_t *)from, leap, n, group, (int64_t *)to);
#undef CASE
    }
}

/* Results [x, x + n) of an output row, from keys to samples. */
static void ISA(store)(const Job *j, long row, long x, long n, const char *keys)
{
    char *to = j->dst + ((row * (long)j->p.out_cols + j->left) * (long)j->p.channels + x) *
                            sample_size(j->p.type);
    switch (j->p.type) {
#define CASE(letter, code, S, K) \
    case letter: ISA(put_##code)((const K *)keys, n, (S *)to); break;
        TYPES(CASE)
    default: ISA(put_d)((const int64_t *)keys, n, (int64_t *)to);
#undef CASE
    }
}

#undef TYPES

/* The tile's input as keys: every row that it reads, lane by lane. */
static void ISA(fill)(Job *j)
{
    const long size = sample_size(j->p.type), group = (long)j->p.channels;
    for (long r = 0; r < j->map_rows; r++) {
        const int64_t row = j->rows[j->top * j->p.row_stride + r];
        const Run *run = j->runs;
        for (long lane = 0; lane < j->p.col_stride; lane++) {
            char *to = j->keys + (r * j->pitch + lane * j->lane_pitch) * size;
            for (; run < j->runs + j->run_ends[lane]; run++) {
                char *at = to + run->start * group * size;
                if (row < 0 || run->source < 0) {
                    j->has_nan |= ISA(load)(j->p.type, j->outside, 0, 1, 1, at);
                    for (long i = 1; i < run->count * group; i++)
                        memcpy(at + i * size, at, (size_t)size);
                } else
                    j->has_nan |= ISA(load)(
                        j->p.type, j->src + (row * j->p.width + run->source) * group * size,
                        run->leap, run->count, group, at);
            }
        }
    }
}

#define KEY int8_t
#define UKEY uint8_t
#define BITS 8
#define K(name) JOIN(ISA(8), name)
#include "keyed.h"
#define KEY int16_t
#define UKEY uint16_t
#define BITS 16
#define K(name) JOIN(ISA(16), name)
#include "keyed.h"
#define KEY int32_t
#define UKEY uint32_t
#define BITS 32
#define K(name) JOIN(ISA(32), name)
#include "keyed.h"
#define KEY int64_t
#define UKEY uint64_t
#define BITS 64
#define K(name) JOIN(ISA(64), name)
#include "keyed.h"

#include "histograms.h"
#include "levels.h"

static int ISA(tile)(Job *j)
{
    ISA(fill)(j);
    if (j->p.way == 'h') return ISA(by_histograms)(j);
    if (j->p.way == 'l') return ISA(by_levels)(j);
    switch (sample_size(j->p.type)) {
    case 1: return JOIN(ISA(8), tile)(j);
    case 2: return JOIN(ISA(16), tile)(j);
    case 4: return JOIN(ISA(32), tile)(j);
    default: return JOIN(ISA(64), tile)(j);
    }
}

static int ISA(medians)(const Job *j, int straight)
{
    switch (sample_size(j->p.type)) {
    case 1: return JOIN(ISA(8), by_medians)(j, straight);
    case 2: return JOIN(ISA(16), by_medians)(j, straight);
    case 4: return JOIN(ISA(32), by_medians)(j, straight);
    default: return JOIN(ISA(64), by_medians)(j, straight);
    }
}

static const Isa ISA(isa) = {ISA_NAME, ISA(tile), ISA(medians)};
