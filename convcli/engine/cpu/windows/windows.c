/* convcli._windows: extrema, variances, modes and bilateral means under a window, for one tile of a
 * picture, compiled.
 *
 * They do what the algorithms run_minima.py, moments.py and counted_mode.py of
 * convcli/engine/algorithms do with NumPy, to the same bits, and bilateral_means.py to a rounding.
 * Rows and columns are read through index maps, so borders need no padded copy.
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
#include "lanes.h"

typedef struct {
    const char *name;
    void (*extrema)(Job *);
    void (*moments)(Job *);
    void (*modes)(Job *);
    void (*bilateral)(Job *);
} Isa;

#define CLONED "isa.h"
#include "clones.h"

#define BEHIND 48 /* samples behind planes for bilateral means: two vectors, and a phase without the last cell */

#define MOST ((int64_t)1 << 40)

/* Cells that a tile of so many outputs reads; 0 if there are none or too many. */
static long reach(long outputs, int64_t stride, int64_t taps, int64_t gap)
{
    if (outputs < 1 || stride < 1 || taps < 1 || gap < 1 || outputs > MOST / stride ||
        taps > MOST / gap)
        return 0;
    return (outputs - 1) * (long)stride + ((long)taps - 1) * (long)gap + 1;
}

/* Whether the tile and what it reads lie in their buffers; the fault, if they do not. */
static const char *check_place(Job *j, Py_ssize_t src, Py_ssize_t dst, long row_count, long col_count)
{
    const Packed *p = &j->p;
    const long size = sample_size(p->type), out_size = sample_size(p->out_type);
    if (!size || !out_size || !fits(src, p->height, p->width, p->channels, size) ||
        !fits(dst, p->out_rows, p->out_cols, p->channels, out_size))
        return "a picture's buffer does not fit its type and shape";
    if (j->top < 0 || j->height < 1 || j->top > p->out_rows - j->height || j->left < 0 ||
        j->width < 1 || j->left > p->out_cols - j->width)
        return "the tile lies outside the output";
    j->in_rows = reach(j->height, p->row_stride, p->tall, p->row_gap);
    j->in_cols = reach(j->width, p->col_stride, p->wide, p->col_gap);
    if (!j->in_rows || !j->in_cols || j->in_rows > row_count || j->in_cols > col_count)
        return "the tile needs more rows or columns than the maps have";
    if (!index_inside(j->rows, j->in_rows, p->height) || !index_inside(j->cols, j->in_cols, p->width))
        return "an index map points outside the picture";
    return NULL;
}

/* Whether the footprint's rectangles lie in the window; the fault, if they do not. */
static const char *check_blocks(const Job *j, Py_ssize_t blocks, Py_ssize_t outside)
{
    const Packed *p = &j->p;
    if (outside != sample_size(p->type)) return "what stands outside is of another type";
    if (p->blocks < 1 || p->blocks > MOST || blocks != p->blocks * (Py_ssize_t)sizeof(Block))
        return "there are other numbers of blocks than announced";
    int64_t shortest = 1, cells = 0;
    for (const Block *b = j->blocks; b < j->blocks + p->blocks; b++) {
        if (b->length < shortest || b->left < 0 || b->length > p->wide - b->left || b->height < 1 ||
            b->top < 0 || b->height > p->tall - b->top)
            return "a block lies outside the window, or behind a longer one";
        shortest = b->length;
        cells += b->length * b->height;
    }
    if (p->cells && p->cells != cells) return "the blocks have other cells than announced";
    return NULL;
}

/* What only some of the ways can; the fault, if they cannot. */
static const char *check_way(const Job *j, char way)
{
    const Packed *p = &j->p;
    if (way == 'x') return p->out_type == p->type ? NULL : "extrema stay in their type";
    const int even = p->row_stride == 1 && p->col_stride == 1 && p->row_gap == 1 && p->col_gap == 1;
    if (!even || p->cells < 1) return "strides and dilations are for extrema only";
    if (way == 'm')
        return p->type == 'B' && p->out_type == 'B' && p->cells < 65536
                   ? NULL
                   : "modes are of bytes, fewer than 65536 of them";
    if (p->blocks != 1 || p->cells != p->tall * p->wide) return "variances are of boxes";
    const int64_t most = p->type == 'B' || p->type == 'b' ? 255 : 65535;
    if (sample_size(p->type) > 2 || p->cells > (most == 255 ? 33025 : 94906265 / most))
        return "the sums would not be exact";
    return p->out_type == 'd' || p->out_type == 'f' || p->out_type == 'B'
               ? NULL
               : "variances become floats or bytes";
}

/* What bilateral means are told instead; the fault, if they cannot be made. */
static const char *check_cells(const Job *j, Py_ssize_t cells, Py_ssize_t numbers)
{
    const Packed *p = &j->p;
    const int whole = p->type == 'B' || p->type == 'H' || p->type == 'f';
    if (!whole && p->type != 'd') return "bilateral means are of bytes, 16 bits and floats";
    if (p->type == 'd' ? p->out_type != 'd' : p->out_type != 'B' && p->out_type != 'H' && p->out_type != 'f')
        return "bilateral means become what they were, or floats";
    if (numbers != (Py_ssize_t)(2 * sizeof(double))) return "two numbers go with bilateral means";
    if (p->blocks < 1 || p->blocks > MOST || cells != p->blocks * (Py_ssize_t)sizeof *j->cells)
        return "there are other numbers of cells than announced";
    for (const Weighed *c = j->cells; c < j->cells + p->blocks; c++)
        if (c->row < 0 || c->row >= p->tall || c->column < 0 || c->column >= p->wide)
            return "a cell lies outside the window";
    return p->joint && p->channels > MOST_JOINT ? "too many channels are weighed together" : NULL;
}

#define MODE_STRIP 480 /* columns whose histograms stay in the second cache */

static int prepare_cells(Job *j)
{
    const long size = j->p.type == 'd' ? 8 : 4, stride = (long)j->p.col_stride;
    const long across = (long)j->p.col_gap, down = (long)j->p.row_gap;
    j->phase = (j->in_cols + stride - 1) / stride + BEHIND;
    j->plane = stride * j->phase;
    j->row_pitch = (long)j->p.channels * j->plane;
    j->line_pitch = j->in_cols + BEHIND;
    j->held = piece(j->in_rows, j->row_pitch, size);
    j->line = piece(j->p.joint ? j->p.channels : 1, j->line_pitch, size);
    j->near = piece(j->p.blocks, 1, sizeof *j->near);
    if (!j->held || !j->line || !j->near) return 0;
    memcpy(&j->range, j->outside, sizeof j->range);
    memcpy(&j->beyond, (const char *)j->outside + sizeof j->range, sizeof j->beyond);
    /* What only whole vectors read is never part of a result, but it is read. */
    for (long r = 0; r < j->in_rows * j->p.channels * stride; r++)
        memset(j->held + ((r + 1) * j->phase - BEHIND - 1) * size, 0, (BEHIND + 1) * (size_t)size);
    for (long n = 0; n <= j->p.blocks; n++) {
        const int last = n == j->p.blocks; /* the centre */
        const long row = (long)(last ? (j->p.tall - 1) / 2 : j->cells[n].row) * down;
        const long column = (long)(last ? (j->p.wide - 1) / 2 : j->cells[n].column) * across;
        const long offset = row * j->row_pitch + column % stride * j->phase + column / stride;
        if (last)
            j->centre = offset;
        else
            j->near[n] = (Near){offset, j->cells[n].weight, (float)j->cells[n].weight};
    }
    return 1;
}

/* Buffers for a tile; 0 if there is no memory for them. */
static int prepare(Job *j, char way)
{
    const long size = sample_size(j->p.type);
    const long cells = j->in_cols * (long)j->p.channels;
    j->run_count = find_runs(j, NULL);
    j->runs = piece(j->run_count, 1, sizeof *j->runs);
    if (!j->runs) return 0;
    find_runs(j, j->runs);
    if (way == 'x') return prepare_lanes(j, size);
    if (way == 'b') return prepare_cells(j);
    j->pitch = cells + (long)j->p.channels + PADDING;
    j->held = piece(j->in_rows, j->pitch, size);
    if (way == 'm') {
        j->strip = j->width < MODE_STRIP ? j->width : MODE_STRIP;
        j->spare = is_box(j) ? piece(j->strip + j->p.wide, 256, 1) : piece(1, 1, 1);
    } else
        j->spare = piece(4, j->pitch, 8);
    j->line = piece(2, j->pitch, 8);
    return j->held && j->spare && j->line;
}

static void run(Job *j, char way)
{
    switch (way) {
    case 'x': loops->extrema(j); break;
    case 'v': loops->moments(j); break;
    case 'm': loops->modes(j); break;
    default: loops->bilateral(j);
    }
}

static PyObject *one_tile(PyObject *args, char way)
{
    Py_buffer packed, src, dst, rows, cols, cells, outside;
    Job j;
    memset(&j, 0, sizeof j);
    if (!PyArg_ParseTuple(args, "y*y*w*y*y*y*y*llll", &packed, &src, &dst, &rows, &cols, &cells,
                          &outside, &j.top, &j.left, &j.height, &j.width))
        return NULL;
    PyObject *result = NULL;
    const char *fault = "the job is not packed by _windows.JOB";
    if (packed.len == sizeof j.p) {
        memcpy(&j.p, packed.buf, sizeof j.p);
        j.src = src.buf, j.dst = dst.buf, j.rows = rows.buf, j.cols = cols.buf;
        j.blocks = cells.buf, j.cells = cells.buf, j.outside = outside.buf;
        fault = check_place(&j, src.len, dst.len, rows.len / 8, cols.len / 8);
        if (!fault && way == 'b') fault = check_cells(&j, cells.len, outside.len);
        if (!fault && way != 'b') fault = check_blocks(&j, cells.len, outside.len);
        if (!fault && way != 'b') fault = check_way(&j, way);
    }
    if (fault)
        PyErr_SetString(PyExc_ValueError, fault);
    else {
        int done;
        Py_BEGIN_ALLOW_THREADS
        done = prepare(&j, way);
        if (done) run(&j, way);
        Py_END_ALLOW_THREADS
        if (done)
            Py_INCREF(result = Py_None);
        else
            PyErr_NoMemory();
        free(j.held), free(j.spare), free(j.line), free(j.runs);
        free(j.lanes), free(j.terms), free(j.found), free(j.near);
    }
    PyBuffer_Release(&packed), PyBuffer_Release(&src), PyBuffer_Release(&dst);
    PyBuffer_Release(&rows), PyBuffer_Release(&cols);
    PyBuffer_Release(&cells), PyBuffer_Release(&outside);
    return result;
}

PyDoc_STRVAR(extrema_doc, "Extrema of one tile; see convcli/engine/cpu/compiled_windows.py.");
static PyObject *extrema(PyObject *self, PyObject *args) { return (void)self, one_tile(args, 'x'); }

PyDoc_STRVAR(moments_doc, "Variances of one tile, or their roots, under a box.");
static PyObject *moments(PyObject *self, PyObject *args) { return (void)self, one_tile(args, 'v'); }

PyDoc_STRVAR(modes_doc, "The most frequent bytes of one tile.");
static PyObject *modes(PyObject *self, PyObject *args) { return (void)self, one_tile(args, 'm'); }

PyDoc_STRVAR(bilateral_doc, "Bilateral means of one tile, whose cells have weights.");
static PyObject *bilateral(PyObject *self, PyObject *args) { return (void)self, one_tile(args, 'b'); }

static int export(PyObject *module)
{
#define NAMED(name) " " #name
    return PyModule_AddStringConstant(module, "JOB", &JOB_FIELDS(NAMED)[1]);
}

static PyMethodDef methods[] = {
    {"extrema", extrema, METH_VARARGS, extrema_doc},
    {"moments", moments, METH_VARARGS, moments_doc},
    {"modes", modes, METH_VARARGS, modes_doc},
    {"bilateral", bilateral, METH_VARARGS, bilateral_doc},
    CLONES_METHODS,
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {CLONES_SLOT, {Py_mod_exec, (void *)export}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "convcli._windows", "Compiled windows of convcli.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__windows(void) { return PyModuleDef_Init(&definition); }
