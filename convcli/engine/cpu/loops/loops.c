/* convcli._loops: correlation of one tile of a picture, compiled.
 *
 * One function, `tile`, does what convcli/engine/cpu/numpy_loops.py does with NumPy; which taps,
 * lanes and numbers it uses was decided in Python. It reads rows and columns through index maps,
 * so borders need no padded copy, and holds no lock while it computes. Every index is checked
 * against the buffers before it is used.
 *
 * The loops are plain C over vector types; isa.h is compiled once per instruction set and the
 * best one that the processor has is taken at import (clones.h).
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define FENCE _mm_sfence(); /* what was streamed is there before the tile is called done */
#else
#define FENCE
#endif

/* How one lane is filled from an input row: `count` cells of `group` samples each. Cells
 * [first, last) come from the picture, `leap` cells apart from cell `start` on; the others
 * through index[k * every], or are `value` where that is negative. */
typedef struct {
    const int64_t *index;
    long count, every, first, last, start, leap, pitch, channel, group;
    double value;
} Fill;

typedef struct {
    int32_t lane, row;
    int64_t shift;
    double weight;
} Tap;

/* A run of an input row that four output rows share, with its weight for each of them. */
typedef struct {
    long lane, row, shift, range;
    double weight[4];
} Quad;

typedef struct {
    const void *src;
    void *dst;
    const int64_t *rows; /* input row at each position, or -1 */
    size_t src_row_bytes;
    long src_size;
    char src_type, sum_type, out_type;
    long lanes, lane_samples, group;
    Fill *fills;
    const Tap *line_taps, *taps; /* along a row first, if lines > 0; then across rows */
    const int32_t *line_starts, *starts;
    long lines, planes, line_tap_count, tap_count, most_taps, reach, row_stride;
    Quad *quads;     /* of each plane, sorted by range; none if rows go one by one */
    long *quad_ends; /* per plane: where its first range starts, then where each of ten stops */
    long quad_count, gap;
    long top, bottom, left, right;
    long out_cols, out_channels, out_size;
    char combine, work; /* none, magnitude, maximum (x), bank; type as of the sums, f or d */
    double scale, bias, offset, ratio, limit;
    int absolute, count;
    long add, multiply, shift; /* see convcli/engine/cpu/box_mean.py; multiply is 0 without */
    int stream;           /* the output is too large to be found in a cache later */
    int narrow, straight; /* rows are kept as bytes, and sums need clamping alone: see bytes.h */
    long flat;            /* columns of a rectangle of ones, to be divided; or 0: see flat.h */
    const char *last_src; /* end of the picture's buffer */
} Job;

/* A tile of the picture, to be copied into one plane per channel. */
typedef struct {
    const void *src;
    void *planes;
    const int64_t *rows;
    size_t src_row_bytes;
    char src_type, plane_type;
    long channels, top, bottom, left, right;
    Fill *fills;
} Planes;

/* Sums of one channel of a tile, from wherever they come. */
typedef struct {
    const void *sums;
    char type;
    long rows, cols, pitch, channel;
    int whole;
} Sums;

/* What each instruction set provides. */
typedef struct {
    const char *name;
    long (*tile)(const Job *);
    void (*planes)(const Planes *);
    long (*finish)(const Job *, const Sums *, void *);
    int bytes; /* has bytes.h */
} Isa;

#define NO_MEMORY (SIZE_MAX / 4)

/* Scratch out of one allocation: `take` everything, `settle`, and take it again. */
typedef struct {
    char *memory;
    size_t used;
} Arena;

/* Room for a * b things. What no memory holds stays so: a product must not wrap and be small. */
static void *take(Arena *arena, long a, long b, size_t size)
{
    const size_t at = arena->used;
    size_t bytes;
    if (__builtin_mul_overflow(a, b, &bytes) || __builtin_mul_overflow(bytes, size, &bytes) ||
        bytes > NO_MEMORY || (arena->used += (bytes + 63) / 64 * 64) > NO_MEMORY)
        arena->used = NO_MEMORY;
    return arena->memory ? arena->memory + at : NULL;
}

/* Zeroed: what lies behind a row's end is read, and must not be slow denormals. */
static int settle(Arena *arena)
{
    void *memory = NULL;
    if (arena->used == NO_MEMORY) return 0;
    if (posix_memalign(&memory, 64, arena->used + 64)) return 0;
    memset(memory, 0, arena->used);
    arena->memory = memory;
    arena->used = 0;
    return 1;
}

/* Nearest whole number, halves to even, of 0 <= t < 2**22 (2**51): the sum's low bits. */
static inline __attribute__((always_inline)) int32_t whole_f(float t)
{
    int32_t bits;
    t += 12582912.0f;
    memcpy(&bits, &t, sizeof bits);
    return bits;
}
static inline __attribute__((always_inline)) int64_t whole_d(double t)
{
    int64_t bits;
    t += 6755399441055744.0;
    memcpy(&bits, &t, sizeof bits);
    return bits;
}

#if defined(__x86_64__) /* for bytes.h */
/* The weights of taps t and t + 1, of a list that ends at `stop`, side by side. */
static int pair_of(const Job *job, long t, long stop)
{
    const int first = (int)job->taps[t].weight;
    const int second = t + 1 < stop ? (int)job->taps[t + 1].weight : 0;
    return (first & 255) | (second & 255) << 8;
}
#endif

enum { STREAMED = 32 << 20, FIN_BLOCK = 4096, FLAT_SHIFT = 1024, MOST_PAIRS = 126 };

#define NACC 8
#define CLONED "isa.h"
#include "clones.h"

static int size_of(char code)
{
    switch (code) {
    case 'B': return 1;
    case 'H': case 'h': case 'q': return 2;
    case 'f': case 'i': return 4;
    case 'd': return 8;
    default: return 0;
    }
}

/* Whether a buffer holds a * b * c items, with no product that could overflow. */
static int fits(Py_ssize_t bytes, long a, long b, long c, long item)
{
    return a > 0 && b > 0 && c > 0 && item > 0 && bytes / item / c / b >= a;
}

/* Tap lists stay within their lanes and rows; returns the longest list, or -1. */
static long check_taps(const Tap *taps, long count, const int32_t *starts, long lists, long lanes,
                       long lane_samples, long samples, long reach)
{
    long most = 0;
    if (starts[0] != 0 || starts[lists] != count) return -1;
    for (long l = 0; l < lists; l++) {
        if (starts[l + 1] < starts[l]) return -1;
        if (starts[l + 1] - starts[l] > most) most = starts[l + 1] - starts[l];
    }
    for (long t = 0; t < count; t++)
        if (taps[t].lane < 0 || taps[t].lane >= lanes || taps[t].row < 0 || taps[t].row >= reach ||
            taps[t].shift < 0 || taps[t].shift > lane_samples - samples)
            return -1;
    return most;
}

/* Whether the taps of blur.h are what it takes: two by two with one weight, and all weights
 * together at most 1. White, 65280, with half a unit for each pair of both lines, one for an
 * average, and 128 to round by must stay below 65536, whatever the weights. */
static int are_pairs(const Tap *taps, long count)
{
    double sum = 0;
    for (long t = 0; t < count; t += 2) {
        const double weight = taps[t].weight;
        if (t + 1 == count || taps[t + 1].weight != weight || !(weight >= 1) || weight > 65535 ||
            weight != (long)weight)
            return 0;
        sum += weight;
    }
    return count > 0 && count <= 2 * MOST_PAIRS && sum <= 65536;
}

static int check_index(const int64_t *index, long count, long size)
{
    for (long k = 0; k < count; k++)
        if (index[k] < -1 || index[k] >= size) return 0;
    return 1;
}

/* Describe one lane: `count` cells from position `at` on, every `every`-th. Positions
 * [first, last) of the map are known to be regular, and that is checked here. */
static int set_fill(Fill *f, const int64_t *index, long col_count, long at, long every,
                    long channel, long channels, long group, long count, long first, long last,
                    long step, long width, double value)
{
    const long there = at < col_count ? (col_count - at + every - 1) / every : 0;
    f->every = every, f->pitch = channels, f->group = group, f->value = value;
    f->channel = channel;
    f->count = count < there ? count : there;
    f->index = index + (at < col_count ? at : 0);
    const long a = first > at ? (first - at + every - 1) / every : 0;
    const long b = last > at ? (last - at + every - 1) / every : 0;
    f->first = a < f->count ? a : f->count;
    f->last = b < f->count ? b : f->count;
    if (__builtin_mul_overflow(step, every, &f->leap)) return 0;
    if (f->last <= f->first) return 1;
    f->start = (long)f->index[f->first * every];
    return f->start >= 0 && (width - 1 - f->start) / f->leap >= f->last - 1 - f->first;
}

static int by_place(const void *a, const void *b)
{
    const Quad *p = a, *q = b;
    if (p->lane != q->lane) return p->lane < q->lane ? -1 : 1;
    if (p->shift != q->shift) return p->shift < q->shift ? -1 : 1;
    return p->row < q->row ? -1 : p->row > q->row;
}

static int by_range(const void *a, const void *b)
{
    const Quad *p = a, *q = b;
    return p->range != q->range ? (p->range < q->range ? -1 : 1) : by_place(a, b);
}

/* Merge the taps of four output rows that are `delta` positions apart: taps that read the same
 * run become one entry. Leaves quad_count 0 where little would be shared. */
static int make_quads(Job *j, long delta)
{
    static const int range_of[4][4] = {{0, 1, 2, 3}, {-1, 4, 5, 6}, {-1, -1, 7, 8}, {-1, -1, -1, 9}};
    const int narrow = j->sum_type == 'h' || j->sum_type == 'H';
    if (j->bottom - j->top < 4 * j->gap || j->reach <= delta || j->sum_type == 'i' ||
        j->sum_type == 'q' ||
        j->tap_count < (narrow ? 12 : 5) * j->planes)
        return 1;
    j->quads = calloc((size_t)(4 * j->tap_count), sizeof *j->quads);
    j->quad_ends = calloc((size_t)(11 * j->planes), sizeof *j->quad_ends);
    if (!j->quads || !j->quad_ends) return 0;
    long total = 0;
    for (long p = 0; p < j->planes; p++) {
        Quad *own = j->quads + total;
        long n = 0;
        for (long t = j->starts[p]; t < j->starts[p + 1]; t++)
            for (long k = 0; k < 4; k++, n++) {
                const Tap *tap = &j->taps[t];
                own[n] = (Quad){tap->lane, tap->row + k * delta, (long)tap->shift, 0, {0}};
                own[n].weight[k] = tap->weight;
            }
        qsort(own, (size_t)n, sizeof *own, by_place);
        long merged = 0;
        for (long i = 0; i < n; i++) {
            if (merged && !by_place(&own[merged - 1], &own[i]))
                for (int k = 0; k < 4; k++) own[merged - 1].weight[k] += own[i].weight[k];
            else
                own[merged++] = own[i];
        }
        for (long i = 0; i < merged; i++) {
            int lo = 0, hi = 3;
            while (lo < 3 && own[i].weight[lo] == 0) lo++;
            while (hi > lo && own[i].weight[hi] == 0) hi--;
            own[i].range = range_of[lo][hi];
        }
        qsort(own, (size_t)merged, sizeof *own, by_range);
        long *end = j->quad_ends + 11 * p, i = total;
        end[0] = total;
        for (int range = 0; range < 10; range++) {
            while (i < total + merged && j->quads[i].range == range) i++;
            end[range + 1] = i;
        }
        total += merged;
    }
    j->quad_count = total;
    return 1;
}

/* Whether bytes.h can do it: bytes in, sums in 16 bits, and weights of which two neighbours fit
 * into signed bytes and, with any samples, into 16 bits. */
static int can_be_narrow(const Job *j, double value)
{
    if (j->src_type != 'B' || (j->sum_type != 'h' && j->sum_type != 'H') || j->lines ||
        value < 0 || value > 255 || value != (long)value)
        return 0;
    for (long p = 0; p < j->planes; p++)
        for (long t = j->starts[p]; t < j->starts[p + 1]; t += 2) {
            const double first = j->taps[t].weight;
            const double second = t + 1 < j->starts[p + 1] ? j->taps[t + 1].weight : 0;
            const double both = (first < 0 ? -first : first) + (second < 0 ? -second : second);
            if (!(both <= 128) || first > 127 || second > 127 || first != (long)first ||
                second != (long)second)
                return 0;
        }
    return 1;
}

/* Columns of the rectangle of ones that the taps are, row by row and evenly apart; 0 if they are
 * something else or flat.h cannot do it. */
static long flat_columns(const Job *j)
{
    if (!j->narrow || !j->straight || !j->multiply || j->count || j->lanes > 1 || j->reach < 2 ||
        j->tap_count % j->reach || j->tap_count < 2 * j->reach)
        return 0;
    const long columns = j->tap_count / j->reach, leap = (long)j->taps[1].shift;
    if ((columns - 1) * leap > FLAT_SHIFT) return 0;
    for (long t = 0; t < j->tap_count; t++)
        if (j->taps[t].row != t / columns || j->taps[t].shift != t % columns * leap ||
            j->taps[t].weight != 1)
            return 0;
    return columns;
}

PyDoc_STRVAR(tile_doc, "Correlate one tile; see convcli/engine/cpu/compiled_loops.py.");

static PyObject *tile(PyObject *self, PyObject *args)
{
    Py_buffer src, dst, rows, cols, line_taps, line_starts, taps, starts;
    Job j;
    int src_type, sum_type, out_type, by_channel, combine, work;
    long height, width, channels, col_stride, first, last, step, out_rows, shared, cells;
    double value;
    (void)self;
    memset(&j, 0, sizeof j);
    if (!PyArg_ParseTuple(
            args, "y*Clllw*Clll" "y*y*lllll" "Cpd" "y*y*y*y*ll" "CCddddd" "pp" "lll" "llll:tile",
            &src, &src_type, &height, &width, &channels,
            &dst, &out_type, &out_rows, &j.out_cols, &j.out_channels,
            &rows, &cols, &j.row_stride, &col_stride, &first, &last, &step,
            &sum_type, &by_channel, &value,
            &line_taps, &line_starts, &taps, &starts, &j.reach, &j.gap,
            &combine, &work, &j.scale, &j.bias, &j.offset, &j.ratio, &j.limit,
            &j.absolute, &j.count, &j.add, &j.multiply, &j.shift,
            &j.top, &j.bottom, &j.left, &j.right))
        return NULL;

    PyObject *result = NULL;
    Fill *fills = NULL;
    const char *fault = NULL;
    j.src = src.buf, j.dst = dst.buf, j.rows = rows.buf;
    j.src_type = (char)src_type, j.sum_type = (char)sum_type, j.out_type = (char)out_type;
    j.combine = (char)combine, j.work = (char)work;
    j.line_taps = line_taps.buf, j.line_starts = line_starts.buf;
    j.taps = taps.buf, j.starts = starts.buf;
    j.line_tap_count = line_taps.len / (long)sizeof(Tap), j.tap_count = taps.len / (long)sizeof(Tap);
    j.lines = line_starts.len / 4 - 1, j.planes = starts.len / 4 - 1;
    j.group = by_channel ? 1 : channels;
    j.out_size = size_of(j.out_type);
    const long row_count = rows.len / 8, col_count = cols.len / 8;
    const long source_size = strchr("BHfd", src_type) ? size_of(j.src_type) : 0;

    if (!size_of(j.sum_type) || !strchr("BHfd", out_type) ||
        !fits(src.len, height, width, channels, source_size) ||
        !fits(dst.len, out_rows, j.out_cols, j.out_channels, j.out_size))
        fault = "a picture's buffer does not fit its type and shape";
    else if (j.top < 0 || j.bottom > out_rows || j.top >= j.bottom || j.left < 0 ||
             j.right > j.out_cols || j.left >= j.right)
        fault = "the tile lies outside the output";
    else if (j.row_stride < 1 || col_stride < 1 || j.reach < 1 || j.gap < 1 || j.planes < 1 ||
             j.lines < 0 || j.reach > row_count || j.gap > row_count ||
             j.row_stride > row_count || __builtin_mul_overflow(4 * j.gap, j.row_stride, &shared) ||
             j.bottom - 1 > (row_count - j.reach) / j.row_stride)
        fault = "the tile needs more rows than the map has";
    else if (first < 0 || last < first || last > col_count || step < 1 ||
             !check_index(j.rows + j.top * j.row_stride,
                          (j.bottom - 1 - j.top) * j.row_stride + j.reach, height) ||
             !check_index(cols.buf, col_count, width))
        fault = "an index map points outside the picture";
    else if (j.combine == 'b' ? j.planes != j.out_channels : j.out_channels != channels)
        fault = "the output has another number of channels";
    else if (j.work != 'f' && j.work != 'd' && (j.work != j.sum_type || j.work == 'i'))
        fault = "sums are finished in their own 16 bits, in float or in double";
    else if (j.sum_type == 'i' &&
             (j.row_stride != 1 || col_stride != 1 || by_channel || j.combine != 'n' || j.lines ||
              j.tap_count != 1 || source_size > 2 || value < 0 || value > 65535))
        fault = "running sums are for one rectangle, stride 1, 8 or 16 bits";
    else if (j.sum_type == 'q' &&
             (!loops->bytes || j.row_stride != 1 || col_stride != 1 || by_channel ||
              j.combine != 'n' || j.lines != 1 || j.planes != 1 || j.src_type != 'B' ||
              j.out_type != 'B' || j.scale != 1.0 || j.bias != 0.0 || j.offset != 0.0 ||
              j.ratio != 1.0 || value < 0 || value > 255 || !are_pairs(j.line_taps, j.line_tap_count) ||
              !are_pairs(j.taps, j.tap_count)))
        fault = "blurs in 16 bits are for bytes, stride 1, pairs of taps with weights of 16 bits";
    else if (j.add < 0 || j.add > 65535 || j.multiply < 0 || j.multiply > 65535 || j.shift < 0 ||
             j.shift > 15)
        fault = "dividing in 16 bits takes numbers of 16 bits";
    if (fault) goto done;

    /* Positions that the tile reads: from its first output to the end of the map or the lane. */
    const int64_t *index = cols.buf;
    if (col_stride > col_count) {
        fault = "the stride is longer than the column map";
        goto done;
    }
    long start, samples, shift = 0;
    {
        const Tap *list = j.lines ? j.line_taps : j.taps;
        const long n = j.lines ? j.line_tap_count : j.tap_count;
        for (long t = 0; t < n; t++)
            if (list[t].shift > shift) shift = (long)list[t].shift;
    }
    if (shift / j.group > col_count || __builtin_mul_overflow(j.left, col_stride, &start) ||
        __builtin_mul_overflow(j.right - j.left, j.group, &samples) ||
        __builtin_add_overflow(samples, shift, &j.lane_samples) ||
        __builtin_mul_overflow(col_stride, by_channel ? channels : 1, &j.lanes) ||
        __builtin_add_overflow(j.lane_samples, 1 << 20, &cells) || /* whole chunks of them */
        __builtin_mul_overflow(cells, j.lanes > j.lines ? j.lanes : j.lines, &cells)) {
        fault = "a tap lies outside the columns";
        goto done;
    }
    long most = check_taps(j.taps, j.tap_count, j.starts, j.planes, j.lines ? j.lines : j.lanes,
                           j.lines ? samples : j.lane_samples, samples, j.reach);
    long most_line = 0;
    if (j.lines)
        most_line = check_taps(j.line_taps, j.line_tap_count, j.line_starts, j.lines, j.lanes,
                               j.lane_samples, samples, 1);
    if (most < 0 || most_line < 0) {
        fault = "a tap lies outside its lane";
        goto done;
    }
    j.most_taps = most > most_line ? most : most_line;
    j.src_size = source_size;
    j.src_row_bytes = (size_t)(width * channels * source_size);
    fills = calloc((size_t)j.lanes, sizeof *fills);
    if (!fills) {
        PyErr_NoMemory();
        goto done;
    }
    for (long l = 0; l < j.lanes; l++) {
        const int lane_ok =
            set_fill(&fills[l], index, col_count, start + l % col_stride, col_stride,
                     by_channel ? l / col_stride : 0, channels, j.group,
                     j.lane_samples / j.group, first, last, step, width, value);
        if (!lane_ok) {
            fault = "the interior of the column map is not regular";
            goto done;
        }
    }
    j.fills = fills;
    j.stream = dst.len >= STREAMED;
    j.last_src = (const char *)j.src + (size_t)height * j.src_row_bytes;
    j.narrow = loops->bytes && can_be_narrow(&j, value);
    const int plain = j.work == j.sum_type && j.scale == 1.0 && j.bias == 0.0 && j.offset == 0.0 &&
                      j.ratio == 1.0 && j.limit == 255.0;
    j.straight = (plain || j.multiply) && j.out_type == 'B' && j.combine == 'n' &&
                 j.planes == 1 && j.row_stride == 1;
    j.flat = flat_columns(&j);
    if (j.sum_type == 'i' && (j.reach != j.taps[0].row + 1 || j.taps[0].shift % j.group)) {
        fault = "the rectangle's corner is not the farthest tap";
        goto done;
    }
    if (!j.narrow && !make_quads(&j, j.gap * j.row_stride)) {
        PyErr_NoMemory();
        goto done;
    }
    long clipped;
    Py_BEGIN_ALLOW_THREADS
    clipped = loops->tile(&j);
    Py_END_ALLOW_THREADS
    result = clipped < 0 ? PyErr_NoMemory() : PyLong_FromLong(clipped);

done:
    if (fault) PyErr_SetString(PyExc_ValueError, fault);
    free(fills);
    free(j.quads);
    free(j.quad_ends);
    PyBuffer_Release(&src), PyBuffer_Release(&dst), PyBuffer_Release(&rows);
    PyBuffer_Release(&cols), PyBuffer_Release(&line_taps), PyBuffer_Release(&line_starts);
    PyBuffer_Release(&taps), PyBuffer_Release(&starts);
    return result;
}

PyDoc_STRVAR(planes_doc, "Copy a tile into one plane per channel; see convcli/engine/cpu/overlap_save.py.");

static PyObject *planes(PyObject *self, PyObject *args)
{
    Py_buffer src, rows, cols, out;
    Planes p;
    int src_type, plane_type;
    long height, width, first, last, step;
    double value;
    (void)self;
    memset(&p, 0, sizeof p);
    if (!PyArg_ParseTuple(args, "y*Clll" "y*y*lll" "d" "w*C" "llll:planes",
                          &src, &src_type, &height, &width, &p.channels,
                          &rows, &cols, &first, &last, &step, &value, &out, &plane_type,
                          &p.top, &p.bottom, &p.left, &p.right))
        return NULL;
    PyObject *result = NULL;
    const char *fault = NULL;
    const long row_count = rows.len / 8, col_count = cols.len / 8;
    const long source_size = strchr("BHfd", src_type) ? size_of((char)src_type) : 0;
    p.src = src.buf, p.rows = rows.buf, p.planes = out.buf;
    p.src_type = (char)src_type, p.plane_type = (char)plane_type;
    if (!fits(src.len, height, width, p.channels, source_size) || !strchr("fd", plane_type))
        fault = "a picture's buffer does not fit its type and shape";
    else if (p.top < 0 || p.bottom > row_count || p.left < 0 || p.right > col_count ||
             !fits(out.len, p.channels, p.bottom - p.top, p.right - p.left, size_of((char)plane_type)))
        fault = "the tile lies outside the maps or the planes";
    else if (first < 0 || last < first || last > col_count || step < 1 || step > width ||
             !check_index(p.rows, row_count, height) || !check_index(cols.buf, col_count, width))
        fault = "an index map points outside the picture";
    else if (!(p.fills = calloc((size_t)p.channels, sizeof *p.fills)))
        PyErr_NoMemory();
    else {
        p.src_row_bytes = (size_t)(width * p.channels * source_size);
        for (long c = 0; c < p.channels && !fault; c++)
            if (!set_fill(&p.fills[c], cols.buf, col_count, p.left, 1, c, p.channels, 1,
                          p.right - p.left, first, last, step, width, value))
                fault = "the interior of the column map is not regular";
        if (!fault) {
            Py_BEGIN_ALLOW_THREADS
            loops->planes(&p);
            Py_END_ALLOW_THREADS
            Py_INCREF(Py_None);
            result = Py_None;
        }
    }
    if (fault) PyErr_SetString(PyExc_ValueError, fault);
    free(p.fills);
    PyBuffer_Release(&src), PyBuffer_Release(&rows), PyBuffer_Release(&cols);
    PyBuffer_Release(&out);
    return result;
}

PyDoc_STRVAR(finish_doc, "Finish one channel's sums of a tile; see convcli/engine/cpu/overlap_save.py.");

static PyObject *finish(PyObject *self, PyObject *args)
{
    Py_buffer sums, dst;
    Sums s;
    Job j;
    int type, out_type, work;
    long out_rows;
    (void)self;
    memset(&s, 0, sizeof s);
    memset(&j, 0, sizeof j);
    if (!PyArg_ParseTuple(args, "y*Clllp" "w*Clll" "Cdddddpp" "lll:finish",
                          &sums, &type, &s.rows, &s.cols, &s.pitch, &s.whole,
                          &dst, &out_type, &out_rows, &j.out_cols, &j.out_channels,
                          &work, &j.scale, &j.bias, &j.offset, &j.ratio, &j.limit, &j.absolute,
                          &j.count, &j.top, &j.left, &s.channel))
        return NULL;
    PyObject *result = NULL;
    s.sums = sums.buf, s.type = (char)type;
    j.dst = dst.buf, j.out_type = (char)out_type, j.out_size = size_of((char)out_type);
    j.work = (char)work, j.combine = 'b', j.planes = j.out_channels;
    if (!strchr("fd", type) || !strchr("fd", work) || s.pitch < s.cols ||
        !fits(sums.len, s.rows, s.pitch, 1, size_of(s.type)) || !strchr("BHfd", out_type) ||
        !fits(dst.len, out_rows, j.out_cols, j.out_channels, j.out_size) || s.cols < 1 ||
        j.top < 0 || j.left < 0 || j.top > out_rows - s.rows || j.left > j.out_cols - s.cols ||
        s.channel < 0 || s.channel >= j.out_channels)
        PyErr_SetString(PyExc_ValueError, "the sums do not fit their buffer or the output");
    else {
        void *scratch = malloc((size_t)s.cols * sizeof(double));
        long clipped = 0;
        if (!scratch)
            PyErr_NoMemory();
        else {
            Py_BEGIN_ALLOW_THREADS
            clipped = loops->finish(&j, &s, scratch);
            Py_END_ALLOW_THREADS
            free(scratch);
            result = PyLong_FromLong(clipped);
        }
    }
    PyBuffer_Release(&sums), PyBuffer_Release(&dst);
    return result;
}

static PyMethodDef methods[] = {
    {"tile", tile, METH_VARARGS, tile_doc},
    {"planes", planes, METH_VARARGS, planes_doc},
    {"finish", finish, METH_VARARGS, finish_doc},
    CLONES_METHODS,
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {CLONES_SLOT, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "convcli._loops", "Compiled inner loops of convcli.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__loops(void) { return PyModuleDef_Init(&definition); }
