/* Convolution of tensors without columns: the windows are read where the cells lie.
 *
 * im2col and BLAS reach 55 to 75 % of the speed of these loops, since they copy every cell once
 * for each tap and multiply small matrices. A block of the input lies in `cells`, padded, with
 * room behind it; every tap is one offset into it, so rank, dilation and padding are the
 * caller's business. Sums are kept for MR channels and several vectors of cells at a time.
 *
 * Compiled once for each instruction set; chosen when the module is loaded (clones.h). */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define UNROLL _Pragma("GCC unroll 16")

#define FAR ((int64_t)1 << 40) /* beyond any axis, and far from where sums of two wrap */

typedef struct {
    const void *cells, *weights, *bias;
    void *out;
    const int64_t *offsets, *starts, *out_starts;
    long depth, segments, images, groups, per_group, rows, width, pitch;
    long image_step, group_step;
    long out_image, out_channel, out_row, out_column;
} Job;

/* Copying of padded cells: images `first` to `last` of x (N, C, *size), with up to three spatial
 * axes (missing ones have size 1), cells `low` to `low + span` on each. Steps are in elements. */
typedef struct {
    const void *x;
    void *to;
    long first, last, channels, phases;
    long size[3], low[3], span[3], step[5];
} Filling;

/* Add count * step to the sum. 0 if one is negative or the sum needs more than 64 bits: a product
 * that wraps would let a check pass. */
static int add(int64_t *sum, int64_t count, int64_t step)
{
    int64_t part;
    return count >= 0 && step >= 0 && !__builtin_mul_overflow(count, step, &part) &&
           !__builtin_add_overflow(*sum, part, sum);
}

#include "gradient_job.h"

/* What each instruction set provides. */
typedef struct {
    const char *name;
    void (*slide_f)(const Job *), (*slide_d)(const Job *);
    void (*fill_f)(const Filling *), (*fill_d)(const Filling *);
    long (*gradient_plan_f)(Gradient *), (*gradient_plan_d)(Gradient *);
    void (*gradient_f)(const Gradient *, void *), (*gradient_d)(const Gradient *, void *);
    long most; /* bytes of the most cells that one read takes */
} Isa;

#define CLONED "tensors_isa.h"
#include "clones.h"

PyDoc_STRVAR(slide_doc,
"slide(type, cells, offsets, starts, weights, bias, out, out_starts, images, groups, per_group,\n"
"      rows, width, pitch, image_step, group_step, out_image, out_channel, out_row, out_column)\n"
"Correlate cells with weights (groups * per_group, taps) into out; all steps are in elements, type is 'f' or 'd'.");

/* The largest of some numbers, or -1 if one is negative. */
static int64_t most(const int64_t *values, long count)
{
    int64_t found = 0;
    for (long i = 0; i < count; i++) {
        if (values[i] < 0) return -1;
        if (values[i] > found) found = values[i];
    }
    return found;
}

static PyObject *slide(PyObject *self, PyObject *args)
{
    const char *type;
    Py_buffer cells, offsets, starts, weights, bias, out = {0}, out_starts;
    PyObject *target, *result = NULL;
    Job j = {0};
    (void)self;
    if (!PyArg_ParseTuple(args, "sy*y*y*y*y*Oy*llllllllllll:slide", &type, &cells, &offsets,
                          &starts, &weights, &bias, &target, &out_starts, &j.images, &j.groups,
                          &j.per_group, &j.rows, &j.width, &j.pitch, &j.image_step, &j.group_step,
                          &j.out_image, &j.out_channel, &j.out_row, &j.out_column))
        return NULL;
    if (PyObject_GetBuffer(target, &out, PyBUF_STRIDES | PyBUF_WRITABLE)) goto done;
    const Isa *isa = loops;
    const int64_t size = *type == 'f' ? 4 : 8;
    j.depth = (long)(offsets.len / 8), j.segments = (long)(starts.len / 8);
    /* Whatever the caller got wrong must not become a read or a write somewhere else. */
    int64_t channels = 0, weight_bytes = 0, bias_bytes = 0;
    if (j.images < 1 || j.groups < 1 || j.per_group < 1 || j.rows < 1 || j.width < 1 ||
        j.pitch < j.width || out.itemsize != size || out_starts.len != starts.len ||
        !add(&channels, j.groups, j.per_group) || !add(&bias_bytes, channels, size) ||
        !add(&weight_bytes, bias_bytes, j.depth) || weights.len != weight_bytes ||
        bias.len != bias_bytes) {
        PyErr_SetString(PyExc_ValueError, "slide: sizes do not go together");
        goto done;
    }
    int64_t reach = isa->most / size, last = 0, extent = 0;
    int inside = add(&reach, j.images - 1, j.image_step) && add(&reach, j.groups - 1, j.group_step) &&
                 add(&reach, 1, most(starts.buf, j.segments)) &&
                 add(&reach, 1, most(offsets.buf, j.depth)) && add(&reach, j.rows - 1, j.pitch) &&
                 add(&reach, 1, j.width) && add(&last, j.images - 1, j.out_image) &&
                 add(&last, channels - 1, j.out_channel) &&
                 add(&last, 1, most(out_starts.buf, j.segments)) &&
                 add(&last, j.rows - 1, j.out_row) && add(&last, j.width - 1, j.out_column);
    for (int axis = 0; inside && axis < out.ndim; axis++)
        inside = out.strides[axis] % size == 0 &&
                 add(&extent, out.shape[axis] - 1, out.strides[axis] / size);
    if (!inside || reach > cells.len / size || last > extent) {
        PyErr_SetString(PyExc_ValueError, "slide: a window or an output lies outside its array");
        goto done;
    }
    j.cells = cells.buf, j.weights = weights.buf, j.bias = bias.buf, j.out = out.buf;
    j.offsets = offsets.buf, j.starts = starts.buf, j.out_starts = out_starts.buf;
    Py_BEGIN_ALLOW_THREADS
    (size == 4 ? isa->slide_f : isa->slide_d)(&j);
    Py_END_ALLOW_THREADS
    result = Py_None;
    Py_INCREF(result);
done:
    PyBuffer_Release(&cells), PyBuffer_Release(&offsets), PyBuffer_Release(&starts);
    PyBuffer_Release(&weights), PyBuffer_Release(&bias), PyBuffer_Release(&out_starts);
    if (out.obj) PyBuffer_Release(&out);
    return result;
}

PyDoc_STRVAR(fill_doc,
"fill(x, to, first, last, lows, spans, phases)\n"
"Copy cells of x (N, C, *size) into the memory `to`, zeros where x has none; `lows` and `spans`\n"
"are tuples of one number per spatial axis. The last axis is sorted by remainder of `phases`.");

static PyObject *fill(PyObject *self, PyObject *args)
{
    PyObject *source, *lows, *spans, *result = NULL;
    Py_buffer x = {0}, to;
    Filling f = {0};
    (void)self;
    if (!PyArg_ParseTuple(args, "Ow*llO!O!l:fill", &source, &to, &f.first, &f.last, &PyTuple_Type,
                          &lows, &PyTuple_Type, &spans, &f.phases))
        return NULL;
    if (PyObject_GetBuffer(source, &x, PyBUF_STRIDES)) goto done;
    const int rank = x.ndim - 2;
    const long bytes = (long)x.itemsize;
    int64_t need = 0;
    if (rank < 1 || rank > 3 || (bytes != 4 && bytes != 8) || PyTuple_Size(lows) != rank ||
        PyTuple_Size(spans) != rank || f.phases < 1 || f.first < 0 || f.last < f.first ||
        f.last > x.shape[0] || f.phases > FAR || x.strides[0] % bytes || x.strides[1] % bytes) {
        PyErr_SetString(PyExc_ValueError, "fill: sizes do not go together");
        goto done;
    }
    f.channels = (long)x.shape[1];
    for (int i = 0; i < 3; i++) f.size[i] = f.span[i] = 1;
    for (int i = 0; i < rank; i++) {
        const int axis = i + 3 - rank;
        f.size[axis] = (long)x.shape[i + 2];
        f.step[axis + 2] = (long)(x.strides[i + 2] / bytes);
        f.low[axis] = PyLong_AsLong(PyTuple_GetItem(lows, i));
        f.span[axis] = PyLong_AsLong(PyTuple_GetItem(spans, i));
        if (PyErr_Occurred()) goto done;
        if (f.span[axis] < 1 || f.span[axis] > FAR || f.low[axis] < -FAR || f.low[axis] > FAR ||
            x.strides[i + 2] % bytes) {
            PyErr_SetString(PyExc_ValueError, "fill: sizes do not go together");
            goto done;
        }
    }
    f.step[0] = (long)(x.strides[0] / bytes), f.step[1] = (long)(x.strides[1] / bytes);
    int fits = add(&need, f.last - f.first, f.channels);
    for (int i = 0; fits && i < 4; i++) {
        const long line = (f.span[2] + f.phases - 1) / f.phases * f.phases;
        const int64_t before = need;
        need = 0, fits = add(&need, before, i == 3 ? bytes : i == 2 ? line : f.span[i]);
    }
    if (!fits || need > to.len) {
        PyErr_SetString(PyExc_ValueError, "fill: the cells do not fit into the memory");
        goto done;
    }
    f.x = x.buf, f.to = to.buf;
    Py_BEGIN_ALLOW_THREADS
    (bytes == 4 ? loops->fill_f : loops->fill_d)(&f);
    Py_END_ALLOW_THREADS
    result = Py_None;
    Py_INCREF(result);
done:
    PyBuffer_Release(&to);
    if (x.obj) PyBuffer_Release(&x);
    return result;
}

PyDoc_STRVAR(room_doc, "room(): cells of float32 that must lie behind the last, for whole vectors to be read.");

static PyObject *room(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    return PyLong_FromLong(loops->most / 4);
}

#include "gradient_call.h"

static PyMethodDef methods[] = {
    {"slide", slide, METH_VARARGS, slide_doc},
    {"fill", fill, METH_VARARGS, fill_doc},
    {"gradient", gradient, METH_VARARGS, gradient_doc},
    {"room", room, METH_NOARGS, room_doc},
    CLONES_METHODS,
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {CLONES_SLOT, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "convcli._tensors", "Compiled convolution of tensors.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__tensors(void) { return PyModuleDef_Init(&definition); }
