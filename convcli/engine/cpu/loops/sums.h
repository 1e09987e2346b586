/* Sums of one type T, for one instruction set. Included by isa.h with T, SUM(name), FINISHED and
 * the type R (RCODE) of the rows that taps read defined: T, or with NARROW bytes.
 *
 * A block of outputs of one row is kept in NACC vector registers while all taps are added to it:
 * each tap is one shifted run of contiguous samples, so one unaligned load and one multiply-add.
 */

typedef T SUM(vec) __attribute__((vector_size(VBYTES), aligned(sizeof(T)), may_alias));
enum {
    SUM(CHUNK) = NACC * VBYTES / sizeof(T),
    SUM(BLOCK) = 4096 / sizeof(T), /* sums that wait in the first-level cache to be finished */
};

#ifdef NARROW
#include "bytes.h"
#else
/* total[0..n) = sum of weight[t] * source[t][x..x + n); n is rounded up to whole chunks. */
static void SUM(taps)(T *restrict total, const R *const *restrict source,
                      const T *restrict weight, long taps, long from, long n)
{
    typedef SUM(vec) vec;
    for (long x = 0; x < n; x += SUM(CHUNK)) {
        vec a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0}, a4 = {0}, a5 = {0}, a6 = {0}, a7 = {0};
        for (long t = 0; t < taps; t++) {
            const vec *p = (const vec *)(source[t] + from + x);
            const T w = weight[t];
            a0 += p[0] * w, a1 += p[1] * w, a2 += p[2] * w, a3 += p[3] * w;
            a4 += p[4] * w, a5 += p[5] * w, a6 += p[6] * w, a7 += p[7] * w;
        }
        vec *out = (vec *)(total + x);
        out[0] = a0, out[1] = a1, out[2] = a2, out[3] = a3;
        out[4] = a4, out[5] = a5, out[6] = a6, out[7] = a7;
    }
}

#endif

/* Four output rows at once. An input run is loaded once and used by every row that has a tap
 * there; w holds its weight for each of them. Entries come sorted by the rows they touch, from
 * row `lo` to row `hi`, in the order 00 01 02 03 11 12 13 22 23 33; end[] is where each range
 * stops, end[-1] where the first starts. */
typedef struct {
    const R *source;
    T w[4];
} SUM(Entry);

#ifndef NARROW
#if VBYTES == 64 /* 32 registers: 16 sums, 4 inputs, 4 weights */
#define EACH(M) M(0) M(1) M(2) M(3)
#define ACROSS 4
#else
#define EACH(M) M(0) M(1)
#define ACROSS 2
#endif
enum { SUM(CHUNK4) = ACROSS * VBYTES / sizeof(T) };

static void SUM(entries)(T *restrict total, long pitch, const SUM(Entry) *restrict entry,
                         const long *restrict end, long from, long n)
{
    typedef SUM(vec) vec;
    for (long x = 0; x < n; x += SUM(CHUNK4)) {
#define ZERO(v) vec a0##v = {0}, a1##v = {0}, a2##v = {0}, a3##v = {0};
#define LOAD(v) const vec x##v = p[v];
#define ADD0(v) a0##v += x##v * w0;
#define ADD1(v) a1##v += x##v * w1;
#define ADD2(v) a2##v += x##v * w2;
#define ADD3(v) a3##v += x##v * w3;
#define IN(k) { const T w##k = e->w[k]; EACH(ADD##k) }
#define RANGE(number, rows)                            \
    for (; e < entry + end[number]; e++) {             \
        const vec *p = (const vec *)(e->source + from + x); \
        EACH(LOAD) rows                                \
    }
        EACH(ZERO)
        const SUM(Entry) *e = entry + end[-1];
        RANGE(0, IN(0))
        RANGE(1, IN(0) IN(1))
        RANGE(2, IN(0) IN(1) IN(2))
        RANGE(3, IN(0) IN(1) IN(2) IN(3))
        RANGE(4, IN(1))
        RANGE(5, IN(1) IN(2))
        RANGE(6, IN(1) IN(2) IN(3))
        RANGE(7, IN(2))
        RANGE(8, IN(2) IN(3))
        RANGE(9, IN(3))
        vec *out = (vec *)(total + x);
#define PUT0(v) out[v] = a0##v;
#define PUT1(v) out[v] = a1##v;
#define PUT2(v) out[v] = a2##v;
#define PUT3(v) out[v] = a3##v;
        EACH(PUT0)
        out = (vec *)(total + pitch + x);
        EACH(PUT1)
        out = (vec *)(total + 2 * pitch + x);
        EACH(PUT2)
        out = (vec *)(total + 3 * pitch + x);
        EACH(PUT3)
    }
}
#undef EACH
#undef ACROSS
#undef ZERO
#undef LOAD
#undef ADD0
#undef ADD1
#undef ADD2
#undef ADD3
#undef IN
#undef RANGE
#undef PUT0
#undef PUT1
#undef PUT2
#undef PUT3
#endif

/* One input row into its lanes: converted, with its border, split by channel and phase. */
#define CONVERT(S, code)                                                                    \
    static __attribute__((noinline)) void SUM(convert_##code)(R *restrict lane, const S *restrict row, const Fill *f) \
    {                                                                                       \
        const R value = (R)f->value;                                                        \
        for (long k = 0; k < f->count; k++) {                                               \
            if (k == f->first && f->last > f->first) {                                      \
                const S *from = row + f->start * f->pitch + f->channel;                     \
                const long leap = f->leap * f->pitch, n = f->last - f->first;               \
                R *to = lane + k * f->group;                                                \
                if (leap == f->group)                                                       \
                    for (long i = 0; i < n * f->group; i++) to[i] = (R)from[i];             \
                else if (f->group == 1)                                                     \
                    for (long i = 0; i < n; i++) to[i] = (R)from[i * leap];                 \
                else if (f->group == 3) /* a loop of three takes twice as long */           \
                    for (long i = 0; i < n; i++, to += 3, from += leap)                     \
                        to[0] = (R)from[0], to[1] = (R)from[1], to[2] = (R)from[2];         \
                else                                                                        \
                    for (long i = 0; i < n; i++)                                            \
                        for (long c = 0; c < f->group; c++)                                 \
                            to[i * f->group + c] = (R)from[i * leap + c];                   \
                k = f->last;                                                                \
                if (k == f->count) break;                                                   \
            }                                                                               \
            const long at = f->index[k * f->every];                                         \
            for (long c = 0; c < f->group; c++)                                             \
                lane[k * f->group + c] =                                                    \
                    at < 0 ? value : (R)row[at * f->pitch + f->channel + c];                \
        }                                                                                   \
    }
CONVERT(uint8_t, B)
#ifndef NARROW
CONVERT(uint16_t, H)
CONVERT(uint32_t, I)
CONVERT(uint64_t, L)
CONVERT(int8_t, b)
CONVERT(int16_t, h)
CONVERT(int32_t, i)
CONVERT(int64_t, l)
CONVERT(float, f)
CONVERT(double, d)
#endif
#undef CONVERT

static __attribute__((noinline)) void SUM(fill)(R *restrict lane, const void *row, char code, const Fill *f)
{
    if (row == NULL) {
        for (long i = 0; i < f->count * f->group; i++) lane[i] = (R)f->value;
        return;
    }
    switch (code) {
    case 'B': SUM(convert_B)(lane, row, f); break;
#ifndef NARROW
    case 'H': SUM(convert_H)(lane, row, f); break;
    case 'I': SUM(convert_I)(lane, row, f); break;
    case 'L': SUM(convert_L)(lane, row, f); break;
    case 'b': SUM(convert_b)(lane, row, f); break;
    case 'h': SUM(convert_h)(lane, row, f); break;
    case 'i': SUM(convert_i)(lane, row, f); break;
    case 'l': SUM(convert_l)(lane, row, f); break;
    case 'f': SUM(convert_f)(lane, row, f); break;
    case 'd': SUM(convert_d)(lane, row, f); break;
#endif
    }
}

/* Where a row of the picture can be read as it is: all of the tile's columns lie in it, side by
 * side and of the right type, and what whole chunks read behind them is still in the picture. */
static const R *SUM(in_place)(const Job *job, const char *row, long wide)
{
    const Fill *f = job->fills;
    if (row == NULL || job->lanes > 1 || job->lines || f->first > 0 || f->last < f->count ||
        f->leap * f->pitch != f->group || job->src_type != RCODE ||
        f->count * f->group < wide - SUM(CHUNK))
        return NULL;
    const R *from = (const R *)row + f->start * f->pitch + f->channel;
    return (const char *)(from + wide) <= job->last_src ? from : NULL;
}

/* Ask for samples [x, x + n) of the tile in `count` rows from position `have` on, which the next
 * output rows need: memory is then read while the sums are made. */
static void SUM(fetch)(const Job *job, long have, long count, long x, long n)
{
    const Fill *f = job->fills;
    const long size = job->src_size, stop = (job->bottom - 1) * job->row_stride + job->reach;
    const char *start = (const char *)job->src + (f->start * f->pitch + x) * size;
    for (long k = have; k < have + count && k < stop; k++)
        if (job->rows[k] >= 0)
            for (long at = 0; at < n * size; at += 64)
                __builtin_prefetch(start + (size_t)job->rows[k] * job->src_row_bytes + at);
}

/* One tile: convert each input row once into a ring, run the horizontal taps on it if there are
 * any, add up the output rows from the ring, and finish them. Rows go in groups of four, `gap`
 * apart so that they share input rows; what is left over goes one by one. */
static long SUM(tile)(const Job *job)
{
    const long group = job->group, samples = (job->right - job->left) * group;
    const long gap = job->gap, together = job->quad_count ? 4 * gap : 1 + (job->flat > 0);
    const long ring = (together - 1) * job->row_stride + job->reach;
    const long wide = job->lane_samples + SUM(CHUNK), outputs = samples + SUM(CHUNK);
    const long stored = job->lines ? job->lines : job->lanes, pitch = job->lines ? outputs : wide;
    const long weight_count = job->tap_count + job->line_tap_count;
    /* One allocation: ring, converted row, sums, scratch of the finish, weights, sources. */
    Arena arena = {0};
    R *rows = NULL, *raw = NULL;
    T *total = NULL, *weights = NULL;
    const R **source = NULL, **line = NULL;
    SUM(Entry) *entries = NULL;
    char *work = NULL, *kept = NULL;
    for (int pass = 0; pass < 2; pass++) {
        rows = take(&arena, ring, stored * pitch, sizeof(R));
        raw = take(&arena, job->lines ? job->lanes : 0, wide, sizeof(R));
        total = take(&arena, 4, SUM(BLOCK), sizeof(T));
        work = take(&arena, SUM(BLOCK), 1, sizeof(double));
        kept = take(&arena, job->combine == 'm' || job->combine == 'x' ? 4 : 0, outputs, sizeof(double));
        weights = take(&arena, weight_count, 1, sizeof(T));
        source = take(&arena, job->most_taps + 1, 1, sizeof(R *));
        line = take(&arena, ring, 1, sizeof(R *));
        entries = take(&arena, job->quad_count, 1, sizeof(SUM(Entry)));
        if (pass == 0 && !settle(&arena)) return -1;
    }
    T *line_weights = weights + job->tap_count;
#ifdef NARROW
    for (long p = 0; p < job->planes; p++)
        for (long a = job->starts[p], t = a; t < job->starts[p + 1]; t += 2)
            weights[a + (t - a) / 2] = (T)pair_of(job, t, job->starts[p + 1]);
#else
    for (long t = 0; t < job->tap_count; t++) weights[t] = (T)(SUMINT)job->taps[t].weight;
#endif
    for (long t = 0; t < job->line_tap_count; t++)
        line_weights[t] = (T)(SUMINT)job->line_taps[t].weight;
    for (long q = 0; q < job->quad_count; q++)
        for (int k = 0; k < 4; k++) entries[q].w[k] = (T)(SUMINT)job->quads[q].weight[k];

#ifdef NARROW
    uint8_t packed[SUM(BLOCK)] __attribute__((aligned(64)));
    uint8_t packed_below[SUM(BLOCK)] __attribute__((aligned(64)));
#endif
    long clipped = 0, have = job->top * job->row_stride;
    for (long top = job->top; top < job->bottom;) {
        const long now = top + together <= job->bottom ? together : 1;
        const long from = top * job->row_stride, to = from + (now - 1) * job->row_stride + job->reach;
        if (have < from) have = from;
        for (; have < to; have++) {
            R *slot = rows + have % ring * stored * pitch;
            const long at = job->rows[have];
            const char *row = at < 0 ? NULL : (const char *)job->src + (size_t)at * job->src_row_bytes;
            line[have % ring] = SUM(in_place)(job, row, wide);
            if (line[have % ring]) continue;
            line[have % ring] = slot;
            R *lanes = job->lines ? raw : slot;
            for (long l = 0; l < job->lanes; l++)
                SUM(fill)(lanes + l * wide, row, job->src_type, &job->fills[l]);
#ifndef NARROW
            for (long l = 0; l < job->lines; l++) {
                const long a = job->line_starts[l], n = job->line_starts[l + 1] - a;
                for (long t = 0; t < n; t++)
                    source[t] = raw + job->line_taps[a + t].lane * wide + job->line_taps[a + t].shift;
                SUM(taps)(slot + l * pitch, source, line_weights + a, n, 0, samples);
            }
#endif
        }
#ifdef NARROW
        if (job->flat && now == 2) {
            const long across = job->out_cols * group;
            uint8_t *out = (uint8_t *)job->dst + top * across + job->left * group;
            for (long x = 0; x < samples; x += SUM(BLOCK)) {
                const long block = samples - x < SUM(BLOCK) ? samples - x : SUM(BLOCK);
                for (long r = 0; r <= job->reach; r++) source[r] = line[(from + r) % ring] + x;
                SUM(fetch)(job, have, 2, x, block);
                SUM(flat)(job, job->stream ? packed : out + x,
                          job->stream ? packed_below : out + across + x, source, block);
                if (!job->stream) continue;
                ISA(stream)((char *)out + x, (char *)packed, (size_t)block);
                ISA(stream)((char *)out + across + x, (char *)packed_below, (size_t)block);
            }
            top += 2;
            continue;
        }
#endif
        const long each = (now > 1 ? 4 : 1) * job->row_stride; /* rows that come next */
        for (long b = 0; b < (now > 1 ? gap : 1); b++)
            for (long p = 0; p < job->planes; p++) {
                const long base = from + b * job->row_stride;
                const long a = job->starts[p], n = job->starts[p + 1] - a;
                const long *end = now == 1 ? NULL : job->quad_ends + 11 * p;
                for (long t = 0; now == 1 && t < n; t++) {
                    const Tap *tap = &job->taps[a + t];
                    source[t] = line[(base + tap->row) % ring] + tap->lane * pitch + tap->shift;
                }
#ifdef NARROW
                if (n % 2) source[n] = source[n - 1]; /* with weight 0 */
                const long adds = (n + 1) / 2;
#else
                const long adds = n;
#endif
                for (long q = end ? end[0] : 0; end && q < end[10]; q++) {
                    const Quad *quad = &job->quads[q];
                    entries[q].source = line[(base + quad->row) % ring] + quad->lane * pitch + quad->shift;
                }
                long x = 0;
#ifdef NARROW
                if (job->straight) {
                    uint8_t *out = (uint8_t *)job->dst + (top * job->out_cols + job->left) * group;
                    long done = SUM(BLOCK);
                    for (; done == SUM(BLOCK) && x < samples; x += done) {
                        const long block = samples - x < SUM(BLOCK) ? samples - x : SUM(BLOCK);
                        SUM(fetch)(job, have, 1, x, block);
                        done = SUM(straight)(job, job->stream ? packed : out + x, source,
                                             weights + a, adds, x, block, &clipped);
                        if (job->stream) ISA(stream)((char *)out + x, (char *)packed, (size_t)done);
                    }
                }
#endif
                for (; x < samples; x += SUM(BLOCK)) {
                    const long block = samples - x < SUM(BLOCK) ? samples - x : SUM(BLOCK);
                    if (p == 0) SUM(fetch)(job, have + b * each, each, x, block);
                    if (now == 1)
                        SUM(taps)(total, source, weights + a, adds, x, block);
#ifndef NARROW
                    else
                        SUM(entries)(total, SUM(BLOCK), entries, end + 1, x, block);
#endif
                    for (long k = 0; k < (now == 1 ? 1 : 4); k++)
                        clipped += FINISHED(job, total + k * SUM(BLOCK), work,
                                            kept ? kept + (size_t)(k * outputs + x) * sizeof(double) : NULL, p,
                                            top + b + k * gap, x, block);
                }
            }
        top += now;
    }
    FENCE
    free(arena.memory);
    return clipped;
}
