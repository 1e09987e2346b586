/* convcli._ranks: the value of a rank under a window, for one tile of a picture, compiled.
 *
 * `tile` does what convcli/engine/cpu/numpy_ranks.py does with NumPy. Which algorithm it takes was
 * decided in Python and is checked here. Rows and columns are read through index maps, so borders
 * need no padded copy. Samples are held as signed whole numbers of their size that sort alike, so
 * there is one loop for each size, and NaN, the largest of them, is what does not vote.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pieces.h"
#include "samples.h"

#include "job.h"

typedef struct {
    const char *name;
    int (*tile)(Job *);
    int (*medians)(const Job *, int straight);
} Isa;

#define CLONED "isa.h"
#include "clones.h"

#define PADDING 256 /* keys behind each lane that whole blocks may read */

/* The same for the columns that the tile reads. */
static int columns_inside(const Job *j, long count)
{
    const long first = j->left * (long)j->p.col_stride;
    const long cells = j->right - j->left + (long)(j->p.most_shift / j->p.channels);
    long most;
    if (__builtin_mul_overflow(cells, (long)j->p.col_stride, &most) || most > count - first)
        most = count - first;
    return index_inside(j->cols + first, most, j->p.width);
}

/* Whether the job fits its buffers; the fault, if it does not. */
static const char *check(const Job *j, Py_ssize_t src, Py_ssize_t dst, long row_count,
                         long col_count, Py_ssize_t taps, Py_ssize_t order, Py_ssize_t outside)
{
    const Packed *p = &j->p;
    const long size = sample_size(p->type);
    if (!size || !fits(src, p->height, p->width, p->channels, size) ||
        !fits(dst, p->out_rows, p->out_cols, p->channels, size) || outside != size)
        return "a picture's buffer does not fit its type and shape";
    if (j->top < 0 || j->bottom > p->out_rows || j->top >= j->bottom || j->left < 0 ||
        j->right > p->out_cols || j->left >= j->right)
        return "the tile lies outside the output";
    if (p->band < 0 || p->row_stride < 1 || p->row_stride > row_count || p->col_stride < 1 ||
        p->col_stride > col_count || p->reach < 1 || p->reach > row_count ||
        j->bottom - 1 > (row_count - p->reach) / p->row_stride || p->most_shift < 0 ||
        p->most_shift > col_count * p->channels || j->right - 1 > col_count / p->col_stride)
        return "the tile needs more rows or columns than the maps have";
    if (!index_inside(j->rows + j->top * p->row_stride,
                      (j->bottom - 1 - j->top) * (long)p->row_stride + (long)p->reach, p->height) ||
        !columns_inside(j, col_count))
        return "an index map points outside the picture";
    if (p->cells < 1 || p->cells > INT32_MAX / 2 || taps != p->cells * (Py_ssize_t)sizeof(Tap) ||
        order != (p->cells + 1) * 4 || p->rank < 0 || p->rank >= p->cells)
        return "there are other numbers of cells and of ranks than announced";
    for (int64_t t = 0; t < p->cells; t++)
        if (j->taps[t].row < 0 || j->taps[t].row >= p->reach || j->taps[t].lane < 0 ||
            j->taps[t].lane >= p->col_stride || j->taps[t].shift < 0 ||
            j->taps[t].shift > p->most_shift)
            return "a tap lies outside its lane";
    for (int64_t n = 0; n <= p->cells; n++)
        if (j->order[n] < 0 || j->order[n] > n) return "a rank lies outside its values";
    return NULL;
}

/* A value that an instruction reads: `extent` keys more than there are outputs. */
static int reads_inside(const Packed *p, int32_t source, int32_t shift, int32_t extent)
{
    const int64_t rows = (p->reach - 1) / p->row_gap + p->group;
    if (shift < 0 || extent < 0 || (int64_t)shift + extent > p->extent) return 0;
    return source < 0 ? -1 - (int64_t)source < rows : source < p->slots;
}

/* Whether the network reads and writes what is there; the fault, if it does not. */
static const char *check_network(const Job *j, long col_count, Py_ssize_t code, Py_ssize_t ends)
{
    const Packed *p = &j->p;
    if (p->way == 's') return NULL;
    if (p->way == 'w' || p->way == 'h' || p->way == 'l') {
        /* Windows that move by one cell; a column is counted in a byte, a window in two. */
        const int64_t wide = p->most_shift / p->channels + 1, most = (int64_t)1 << 31;
        const int64_t height = j->bottom - j->top + p->reach, width = j->right - j->left + wide;
        if (p->row_stride != 1 || p->col_stride != 1 || p->most_shift % p->channels ||
            height > most / width || p->cells > most / 64 ||
            (p->way != 'w' &&
             (sample_size(p->type) != 1 || p->reach > 255 || wide > 255 || p->cells > 32767)) ||
            (p->way == 'h' && p->cells != p->reach * wide))
            return "the window does not move by one, or it is too large";
        for (int64_t t = 0; t < p->cells; t++)
            if (j->taps[t].shift % p->channels) return "a tap lies between cells";
        return NULL;
    }
    if (p->way == 'm') {
        int known = 0;
#define X(size) known |= p->side == size;
        MEDIANS(X)
#undef X
        if (!known || p->row_stride != 1 || p->col_stride != 1 || p->group != 2 || p->row_gap < 1 ||
            p->row_gap > p->reach || p->reach - 1 != (p->side - 1) * p->row_gap || p->extent < 0 ||
            p->extent != p->most_shift || p->extent % (p->side - 1) || p->extent % p->channels ||
            p->cells != p->side * p->side || j->right > col_count - p->extent / p->channels)
            return "the median is none of those that were compiled";
        return NULL;
    }
    if (p->way != 'n' || p->row_stride != 1 || p->col_stride != 1 || p->group < 1 ||
        p->group > 64 || p->row_gap < 1 || p->row_gap > p->reach || p->slots < 0 ||
        p->slots > 1 << 20 || p->extent < 0 || p->extent > p->most_shift ||
        p->instructions < 0 || p->instructions > INT32_MAX ||
        code != p->instructions * (Py_ssize_t)sizeof(Code) ||
        ends != p->group * (Py_ssize_t)sizeof(End))
        return "the network is not as announced";
    for (const Code *c = j->code; c < j->code + p->instructions; c++)
        if (c->to < 0 || c->to >= p->slots || !reads_inside(p, c->a, c->a_shift, c->extent) ||
            !reads_inside(p, c->b, c->b_shift, c->extent))
            return "an instruction lies outside its slots";
    for (int64_t t = 0; t < p->group; t++)
        if (!reads_inside(p, j->ends[t].source, j->ends[t].shift, 0))
            return "a result lies outside its slots";
    return NULL;
}

/* Rows that are done at a time: their keys stay in the second cache. */
static long band_of(const Job *j)
{
    const long rows = j->bottom - j->top;
    return j->p.band && j->p.band < rows ? (long)j->p.band : rows;
}

/* Band by band. */
static int run_bands(Job *j)
{
    const long bottom = j->bottom, band = band_of(j);
    for (; j->top < bottom; j->top += band) {
        j->bottom = bottom - j->top < band ? bottom : j->top + band;
        j->map_rows = (j->bottom - 1 - j->top) * (long)j->p.row_stride + (long)j->p.reach;
        j->has_nan = 0;
        if (!loops->tile(j)) return 0;
    }
    return 1;
}

/* Memory for the tile's keys, and where the taps find theirs; 0 if there is none. */
static int prepare(Job *j, long col_count)
{
    const Packed *p = &j->p;
    const long size = sample_size(p->type), lanes = (long)p->col_stride;
    j->samples = (j->right - j->left) * (long)p->channels;
    j->lane_cells = j->right - j->left + (long)(p->most_shift / p->channels);
    j->lane_pitch = j->lane_cells * (long)p->channels + PADDING;
    j->pitch = j->lane_pitch * lanes;
    j->map_rows = (band_of(j) - 1) * (long)p->row_stride + (long)p->reach;
    /* The last rows go in a whole group. */
    const long spare = p->way == 'n' ? (long)(p->group * p->row_gap) : 0;
    j->keys = piece(j->map_rows + spare, j->pitch, size);
    j->line = piece(j->samples + PADDING, 1, size);
    j->offsets = piece(p->cells, 1, sizeof *j->offsets);
    j->run_ends = piece(lanes, 1, sizeof *j->run_ends);
    if (!j->keys || !j->line || !j->offsets || !j->run_ends) return 0;
    long runs = 0;
    for (long lane = 0; lane < lanes; lane++)
        j->run_ends[lane] = runs += find_runs(j, lane, col_count, NULL);
    j->runs = piece(runs, 1, sizeof *j->runs);
    if (!j->runs) return 0;
    for (long lane = 0; lane < lanes; lane++)
        find_runs(j, lane, col_count, j->runs + (lane ? j->run_ends[lane - 1] : 0));
    for (long t = 0; t < p->cells; t++)
        j->offsets[t] = (long)(j->taps[t].row * j->pitch + j->taps[t].lane * j->lane_pitch +
                               j->taps[t].shift);
    memset(j->keys + j->map_rows * j->pitch * size, 0, (size_t)(spare * j->pitch * size));
    /* What only whole blocks read is never part of a result, but it is read. */
    for (long r = 0; r < j->map_rows * lanes; r++)
        memset(j->keys + (r * j->lane_pitch + j->lane_pitch - PADDING) * size, 0, PADDING * (size_t)size);
    return 1;
}

/* A tile by way of a copy of its input. */
static int by_copy(Job j, long col_count)
{
    const int done = prepare(&j, col_count) && run_bands(&j);
    free(j.keys), free(j.line), free(j.offsets), free(j.run_ends), free(j.runs);
    return done;
}

/* Output columns of a tile whose windows lie in the picture side by side: from `*first` up to the
 * result, or none. */
static long straight_columns(const Job *j, long *first)
{
    const long span = (long)(j->p.most_shift / j->p.channels), end = j->right + span;
    long start = j->left, best = 0;
    *first = j->right;
    for (long i = j->left + 1; i <= end; i++) {
        if (i < end && j->cols[i - 1] >= 0 && j->cols[i] == j->cols[i - 1] + 1) continue;
        if (i - start > best && j->cols[start] >= 0) best = i - start, *first = start;
        start = i;
    }
    if ((best - span) * (long)j->p.channels < 64) /* not even one vector */
        return *first = j->right;
    return *first + best - span;
}

/* Small medians, band by band: in place, and by a copy where NaN is. */
static int small_medians(const Job *tile, long col_count)
{
    long first, last = straight_columns(tile, &first);
    const long ends[] = {tile->left, first, last, tile->right};
    const int floats = tile->p.type == 'f' || tile->p.type == 'd';
    const long band = floats ? band_of(tile) : tile->bottom - tile->top;
    for (long top = tile->top; top < tile->bottom; top += band)
        for (int part = 0; part < 3; part++) {
            Job j = *tile;
            j.top = top, j.left = ends[part], j.right = ends[part + 1];
            if (tile->bottom - top > band) j.bottom = top + band;
            if (j.left == j.right) continue;
            int done = loops->medians(&j, part == 1);
            if (done == 2) done = by_copy(j, col_count);
            if (!done) return 0;
        }
    return 1;
}

PyDoc_STRVAR(tile_doc, "Ranks of one tile; see convcli/engine/cpu/compiled_ranks.py.");

static PyObject *tile(PyObject *self, PyObject *args)
{
    Py_buffer packed, src, dst, rows, cols, taps, order, outside, code, ends;
    Job j;
    (void)self;
    memset(&j, 0, sizeof j);
    if (!PyArg_ParseTuple(args, "y*y*w*y*y*y*y*y*y*y*llll:tile", &packed, &src, &dst, &rows, &cols,
                          &taps, &order, &outside, &code, &ends, &j.top, &j.bottom, &j.left, &j.right))
        return NULL;
    PyObject *result = NULL;
    const char *fault = NULL;
    const long row_count = rows.len / 8, col_count = cols.len / 8;
    if (packed.len != sizeof j.p)
        fault = "the job is not packed by _ranks.JOB";
    else {
        memcpy(&j.p, packed.buf, sizeof j.p);
        j.src = src.buf, j.dst = dst.buf, j.rows = rows.buf, j.cols = cols.buf;
        j.taps = taps.buf, j.order = order.buf, j.outside = outside.buf;
        j.code = code.buf, j.ends = ends.buf;
        fault = check(&j, src.len, dst.len, row_count, col_count, taps.len, order.len, outside.len);
        if (!fault) fault = check_network(&j, col_count, code.len, ends.len);
    }
    if (fault)
        PyErr_SetString(PyExc_ValueError, fault);
    else {
        int done;
        Py_BEGIN_ALLOW_THREADS
        done = j.p.way == 'm' ? small_medians(&j, col_count) : by_copy(j, col_count);
        Py_END_ALLOW_THREADS
        if (done)
            Py_INCREF(result = Py_None);
        else
            PyErr_NoMemory();
    }
    PyBuffer_Release(&packed), PyBuffer_Release(&src), PyBuffer_Release(&dst);
    PyBuffer_Release(&rows), PyBuffer_Release(&cols), PyBuffer_Release(&taps);
    PyBuffer_Release(&order), PyBuffer_Release(&outside);
    PyBuffer_Release(&code), PyBuffer_Release(&ends);
    return result;
}

static int export(PyObject *module)
{
#define NAMED(name) " " #name
#define X(size) #size " "
    return PyModule_AddStringConstant(module, "JOB", &JOB_FIELDS(NAMED)[1]) ||
                   PyModule_AddStringConstant(module, "MEDIANS", MEDIANS(X))
               ? -1
               : 0;
}

static PyMethodDef methods[] = {
    {"tile", tile, METH_VARARGS, tile_doc},
    CLONES_METHODS,
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {CLONES_SLOT, {Py_mod_exec, (void *)export}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "convcli._ranks", "Compiled rank filters of convcli.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__ranks(void) { return PyModuleDef_Init(&definition); }
