/* convcli._loops: correlation of one tile of a picture, compiled.
 *
 * One function, `tile`, does what convcli/engine/cpu/numpy_loops.py does with NumPy; which taps,
 * lanes, loops and numbers it uses was decided in Python (job.h) and is checked here (check.h). It
 * reads rows and columns through index maps, so borders need no padded copy, and holds no lock
 * while it computes.
 *
 * The loops are plain C over vector types; isa.h is compiled once per instruction set and the
 * best one that the processor has is taken at import (clones.h).
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define FENCE _mm_sfence(); /* what was streamed is there before the tile is called done */
#else
#define FENCE
#endif

#include "samples.h"

#include "job.h"

#define CLONED "isa.h"
#include "clones.h"

#include "check.h"
#include "quads.h"

/* The job as Python packed it, which is the beginning of ours. */
static const char *take_job(Job *j, const Py_buffer *packed)
{
    memset(j, 0, sizeof *j);
    if (packed->len != PACKED) return "the job is not packed by _loops.JOB";
    memcpy(j, packed->buf, PACKED);
    j->src_size = sample_size(j->src_type);
    j->out_size = sample_size(j->out_type);
    j->group = j->by_channel ? 1 : j->channels;
    j->src_row_bytes = (size_t)j->width * (size_t)j->channels * (size_t)j->src_size;
    return NULL;
}

/* Describe the lanes of a tile: from its first column to the end of the map or the lane. */
static const char *make_lanes(Job *j, const int64_t *cols, long col_count)
{
    const Tap *list = j->lines ? j->line_taps : j->taps;
    const long n = j->lines ? j->line_tap_count : j->tap_count;
    long start, samples, cells, shift = 0;
    for (long t = 0; t < n; t++)
        if (list[t].shift > shift) shift = (long)list[t].shift;
    if (shift / j->group > col_count || __builtin_mul_overflow(j->left, j->col_stride, &start) ||
        __builtin_mul_overflow(j->right - j->left, j->group, &samples) ||
        __builtin_add_overflow(samples, shift, &j->lane_samples) ||
        __builtin_mul_overflow(j->col_stride, j->by_channel ? j->channels : 1, &j->lanes) ||
        __builtin_add_overflow(j->lane_samples, 1 << 20, &cells) || /* whole chunks of them */
        __builtin_mul_overflow(cells, j->lanes > j->lines ? j->lanes : j->lines, &cells))
        return "a tap lies outside the columns";
    const char *fault = check_lists(j, samples);
    if (fault) return fault;
    if (!(j->fills = calloc((size_t)j->lanes, sizeof *j->fills))) return PyErr_NoMemory(), NULL;
    for (long l = 0; l < j->lanes; l++)
        if (!set_fill(&j->fills[l], cols, col_count, start + l % j->col_stride, j->col_stride,
                      j->by_channel ? l / j->col_stride : 0, j->channels, j->group,
                      j->lane_samples / j->group, j->first, j->last, j->step, j->width, j->value))
            return "the interior of the column map is not regular";
    return NULL;
}

PyDoc_STRVAR(tile_doc, "Correlate one tile; see convcli/engine/cpu/compiled_loops.py.");

static PyObject *tile(PyObject *self, PyObject *args)
{
    Py_buffer packed, src, dst, rows, cols, line_taps, line_starts, taps, starts;
    long top, bottom, left, right;
    Job j;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*w*y*y*y*y*y*y*llll:tile", &packed, &src, &dst, &rows, &cols,
                          &line_taps, &line_starts, &taps, &starts, &top, &bottom, &left, &right))
        return NULL;
    PyObject *result = NULL;
    const char *fault = take_job(&j, &packed);
    j.src = src.buf, j.dst = dst.buf, j.rows = rows.buf;
    j.line_taps = line_taps.buf, j.line_starts = line_starts.buf;
    j.taps = taps.buf, j.starts = starts.buf;
    j.line_tap_count = line_taps.len / (long)sizeof(Tap), j.tap_count = taps.len / (long)sizeof(Tap);
    j.lines = line_starts.len / 4 - 1, j.planes = starts.len / 4 - 1;
    j.top = top, j.bottom = bottom, j.left = left, j.right = right;
    const long row_count = rows.len / 8, col_count = cols.len / 8;
    if (!fault) fault = check_tile(&j, src.len, dst.len, row_count, cols.buf, col_count);
    if (!fault) fault = check_choice(&j);
    if (!fault) fault = make_lanes(&j, cols.buf, col_count);
    if (fault)
        PyErr_SetString(PyExc_ValueError, fault);
    else if (j.fills && !make_quads(&j))
        PyErr_NoMemory();
    else if (j.fills) {
        long clipped;
        j.last_src = (const char *)j.src + (size_t)j.height * j.src_row_bytes;
        Py_BEGIN_ALLOW_THREADS
        clipped = loops->tile(&j);
        Py_END_ALLOW_THREADS
        result = clipped < 0 ? PyErr_NoMemory() : PyLong_FromLong(clipped);
    }
    free(j.fills);
    free(j.quads);
    free(j.quad_ends);
    PyBuffer_Release(&packed), PyBuffer_Release(&src), PyBuffer_Release(&dst);
    PyBuffer_Release(&rows), PyBuffer_Release(&cols), PyBuffer_Release(&line_taps);
    PyBuffer_Release(&line_starts), PyBuffer_Release(&taps), PyBuffer_Release(&starts);
    return result;
}

PyDoc_STRVAR(planes_doc, "Copy a tile into one plane per channel; see convcli/engine/cpu/fft_io.py.");

static PyObject *planes(PyObject *self, PyObject *args)
{
    Py_buffer packed, src, rows, cols, out;
    long top, bottom, left, right;
    Job j;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*y*w*llll:planes", &packed, &src, &rows, &cols, &out,
                          &top, &bottom, &left, &right))
        return NULL;
    PyObject *result = NULL;
    const char *fault = take_job(&j, &packed);
    const long row_count = rows.len / 8, col_count = cols.len / 8;
    j.src = src.buf, j.rows = rows.buf;
    j.top = top, j.bottom = bottom, j.left = left, j.right = right;
    if (fault)
        ;
    else if (!fits(src.len, j.height, j.width, j.channels, j.src_size) ||
             (j.sum_type != 'f' && j.sum_type != 'd'))
        fault = "a picture's buffer does not fit its type and shape";
    else if (top < 0 || bottom > row_count || left < 0 || right > col_count ||
             !fits(out.len, j.channels, bottom - top, right - left, size_of(j.sum_type)))
        fault = "the tile lies outside the maps or the planes";
    else if (j.first < 0 || j.last < j.first || j.last > col_count || j.step < 1 ||
             !index_inside(j.rows, row_count, j.height) ||
             !index_inside(cols.buf, col_count, j.width))
        fault = "an index map points outside the picture";
    else if (!(j.fills = calloc((size_t)j.channels, sizeof *j.fills)))
        PyErr_NoMemory();
    else {
        for (long c = 0; c < j.channels && !fault; c++)
            if (!set_fill(&j.fills[c], cols.buf, col_count, left, 1, c, j.channels, 1, right - left,
                          j.first, j.last, j.step, j.width, j.value))
                fault = "the interior of the column map is not regular";
        if (!fault) {
            Py_BEGIN_ALLOW_THREADS
            loops->planes(&j, out.buf);
            Py_END_ALLOW_THREADS
            Py_INCREF(Py_None);
            result = Py_None;
        }
    }
    if (fault) PyErr_SetString(PyExc_ValueError, fault);
    free(j.fills);
    PyBuffer_Release(&packed), PyBuffer_Release(&src), PyBuffer_Release(&rows);
    PyBuffer_Release(&cols), PyBuffer_Release(&out);
    return result;
}

PyDoc_STRVAR(finish_doc, "Finish one channel's sums of a tile; see convcli/engine/cpu/fft_io.py.");

static PyObject *finish(PyObject *self, PyObject *args)
{
    Py_buffer packed, sums, dst;
    long top, left;
    Sums s = {0};
    Job j;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*w*llllll:finish", &packed, &sums, &dst, &s.rows, &s.cols,
                          &s.pitch, &top, &left, &s.channel))
        return NULL;
    PyObject *result = NULL;
    const char *fault = take_job(&j, &packed);
    s.sums = sums.buf;
    j.dst = dst.buf, j.top = top, j.left = left;
    j.combine = 'b', j.planes = j.out_channels; /* one channel of them, wherever it comes from */
    if (!fault &&
        ((j.sum_type != 'f' && j.sum_type != 'd') || (j.work != 'f' && j.work != 'd') ||
         s.pitch < s.cols || !fits(sums.len, s.rows, s.pitch, 1, size_of(j.sum_type)) ||
         !stores(j.out_type, j.work) ||
         !fits(dst.len, j.out_rows, j.out_cols, j.out_channels, j.out_size) || s.cols < 1 ||
         top < 0 || left < 0 || top > j.out_rows - s.rows || left > j.out_cols - s.cols ||
         s.channel < 0 || s.channel >= j.out_channels))
        fault = "the sums do not fit their buffer or the output";
    void *scratch = fault ? NULL : malloc((size_t)s.cols * sizeof(double));
    if (fault)
        PyErr_SetString(PyExc_ValueError, fault);
    else if (!scratch)
        PyErr_NoMemory();
    else {
        long clipped = 0;
        Py_BEGIN_ALLOW_THREADS
        clipped = loops->finish(&j, &s, scratch);
        Py_END_ALLOW_THREADS
        result = PyLong_FromLong(clipped);
    }
    free(scratch);
    PyBuffer_Release(&packed), PyBuffer_Release(&sums), PyBuffer_Release(&dst);
    return result;
}

PyDoc_STRVAR(known_doc, "Tell missing samples apart; see convcli/engine/cpu/voting.py.");

static PyObject *known(PyObject *self, PyObject *args)
{
    Py_buffer x, kept, mask;
    Known k = {0};
    int type;
    (void)self;
    if (!PyArg_ParseTuple(args, "Cy*w*w*dpp:known", &type, &x, &kept, &mask, &k.value, &k.valued,
                          &k.nan))
        return NULL;
    PyObject *result = NULL;
    const int size = type < 128 && strchr("bBhHiIfd", type) ? size_of((char)type) : 0;
    k.type = (char)type, k.x = x.buf, k.kept = kept.buf, k.mask = mask.buf;
    k.count = size ? x.len / size : 0;
    if (!size || x.len != k.count * size || kept.len != x.len || mask.len != k.count)
        PyErr_SetString(PyExc_ValueError, "the samples do not fit their buffers");
    else {
        long missing, strange;
        Py_BEGIN_ALLOW_THREADS
        missing = loops->known(&k, &strange);
        Py_END_ALLOW_THREADS
        result = Py_BuildValue("(ll)", missing, strange);
    }
    PyBuffer_Release(&x), PyBuffer_Release(&kept), PyBuffer_Release(&mask);
    return result;
}

PyDoc_STRVAR(voted_doc, "Finish windows that lack samples; see convcli/engine/cpu/voting.py.");

static PyObject *voted(PyObject *self, PyObject *args)
{
    Py_buffer values, votes, centre, found, weights = {0}, under = {0}, precise = {0}, present = {0};
    Voted j = {0};
    int way, type, votes_in;
    (void)self;
    if (!PyArg_ParseTuple(args, "CCCw*y*y*w*z*z*z*z*dddddddpp:voted", &way, &type, &votes_in, &values, &votes,
                          &centre, &found, &weights, &under, &precise, &present, &j.taps, &j.least,
                          &j.scale, &j.gain, &j.total, &j.bias, &j.hole, &j.fill, &j.absolute))
        return NULL;
    PyObject *result = NULL;
    const int size = type == 'f' || type == 'd' ? size_of((char)type) : 0;
    const Py_ssize_t n = size ? values.len / size : 0;
    const int each = votes_in == 'B' || votes_in == 'H' || votes_in == 'f' ? size_of((char)votes_in) : 0;
    j.way = (char)way, j.type = (char)type, j.vote_type = (char)votes_in, j.count = n;
    j.values = values.buf, j.votes = votes.buf, j.centre = centre.buf, j.found = found.buf;
    j.weights = weights.buf, j.under = under.buf, j.precise = precise.buf, j.present = present.buf;
    if (!size || way > 127 || !strchr("cwmp", way) || values.len != n * size || !each || votes.len != n * each ||
        centre.len != n || found.len != n || (way == 'w' && weights.len != n * size) ||
        (way == 'm' && (under.len != n * size || precise.len != n * 8 || present.len != n * 8)))
        PyErr_SetString(PyExc_ValueError, "the windows do not fit their buffers");
    else {
        long lost;
        Py_BEGIN_ALLOW_THREADS
        lost = loops->voted(&j);
        Py_END_ALLOW_THREADS
        result = PyLong_FromLong(lost);
    }
    PyBuffer_Release(&values), PyBuffer_Release(&votes), PyBuffer_Release(&centre);
    PyBuffer_Release(&found), PyBuffer_Release(&weights), PyBuffer_Release(&under);
    PyBuffer_Release(&precise), PyBuffer_Release(&present);
    return result;
}

/* What Python packs by, and the limits that both keep. */
static int export(PyObject *module)
{
    return PyModule_AddStringConstant(module, "JOB", JOB(NAMED)) ||
                   PyModule_AddStringConstant(module, "TAP", TAP(NAMED)) ||
                   PyModule_AddIntMacro(module, MOST_PAIRS) ||
                   PyModule_AddIntMacro(module, FLAT_SHIFT)
               ? -1
               : 0;
}

static PyMethodDef methods[] = {
    {"tile", tile, METH_VARARGS, tile_doc},
    {"planes", planes, METH_VARARGS, planes_doc},
    {"finish", finish, METH_VARARGS, finish_doc},
    {"known", known, METH_VARARGS, known_doc},
    {"voted", voted, METH_VARARGS, voted_doc},
    CLONES_METHODS,
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {CLONES_SLOT, {Py_mod_exec, (void *)export}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "convcli._loops", "Compiled inner loops of convcli.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__loops(void) { return PyModuleDef_Init(&definition); }
