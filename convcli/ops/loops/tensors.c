/* Convolution of tensors without columns: the windows are read where the cells lie.
 *
 * im2col and BLAS reach 55 to 75 % of the speed of these loops, since they copy every cell once
 * for each tap and multiply small matrices. A block of the input lies in `cells`, padded, with
 * room behind it; every tap is one offset into it, so rank, dilation and padding are the
 * caller's business. Sums are kept for MR channels and several vectors of cells at a time.
 *
 * Compiled once for each instruction set; chosen when the module is loaded. */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define UNROLL _Pragma("GCC unroll 16")

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

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)

/* SSE2 and NEON: 16 registers or more. */
#define VBYTES 16
#define MR 4
#define NV 2
#define NV1 6
#define T float
#define NAME(name) JOIN(name, base_f)
#include "sliding.h"
#undef T
#undef NAME
#define T double
#define NAME(name) JOIN(name, base_d)
#include "sliding.h"
#undef T
#undef NAME
#undef VBYTES
#undef MR
#undef NV
#undef NV1

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
/* 16 registers: 4 * 3 sums, 3 cells, 1 weight. */
#define VBYTES 32
#define MR 4
#define NV 3
#define NV1 8
#define T float
#define NAME(name) JOIN(name, avx2_f)
#include "sliding.h"
#undef T
#undef NAME
#define T double
#define NAME(name) JOIN(name, avx2_d)
#include "sliding.h"
#undef T
#undef NAME
#undef VBYTES
#undef MR
#undef NV
#undef NV1
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,prefer-vector-width=512"))), \
                             apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,fma,prefer-vector-width=512")
#endif
/* 32 registers: 8 * 3 sums, 3 cells, 1 weight. */
#define VBYTES 64
#define MR 8
#define NV 3
#define NV1 8
#define T float
#define NAME(name) JOIN(name, avx512_f)
#include "sliding.h"
#undef T
#undef NAME
#define T double
#define NAME(name) JOIN(name, avx512_d)
#include "sliding.h"
#undef T
#undef NAME
#undef VBYTES
#undef MR
#undef NV
#undef NV1
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

static void (*slide_f)(const Job *) = slide_base_f;
static void (*slide_d)(const Job *) = slide_base_d;
static void (*fill_f)(const Filling *) = fill_base_f;
static void (*fill_d)(const Filling *) = fill_base_d;
static const char *isa_name = "base";
static long vector_bytes = 16, most_vectors = 6;

static int choose_isa(const char *wanted)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if ((!wanted || !strcmp(wanted, "avx512")) && __builtin_cpu_supports("avx512f")) {
        slide_f = slide_avx512_f, slide_d = slide_avx512_d;
        fill_f = fill_avx512_f, fill_d = fill_avx512_d;
        isa_name = "avx512", vector_bytes = 64, most_vectors = 8;
        return 0;
    }
    if ((!wanted || !strcmp(wanted, "avx2")) && __builtin_cpu_supports("avx2") &&
        __builtin_cpu_supports("fma")) {
        slide_f = slide_avx2_f, slide_d = slide_avx2_d;
        fill_f = fill_avx2_f, fill_d = fill_avx2_d;
        isa_name = "avx2", vector_bytes = 32, most_vectors = 8;
        return 0;
    }
#endif
    if (!wanted || !strcmp(wanted, "base")) {
        slide_f = slide_base_f, slide_d = slide_base_d;
        fill_f = fill_base_f, fill_d = fill_base_d;
        isa_name = "base", vector_bytes = 16, most_vectors = 6;
        return 0;
    }
    return -1;
}

PyDoc_STRVAR(slide_doc,
"slide(type, cells, offsets, starts, weights, bias, out, out_starts, images, groups, per_group,\n"
"      rows, width, pitch, image_step, group_step, out_image, out_channel, out_row, out_column)\n"
"Correlate cells with weights (groups * per_group, taps) into out; all steps are in elements, type is 'f' or 'd'.");

static int64_t most(const int64_t *values, long count)
{
    int64_t found = 0;
    for (long i = 0; i < count; i++) {
        if (values[i] < 0) return INT64_MAX / 4;
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
    const long size = *type == 'f' ? 4 : 8;
    const long lanes = vector_bytes / size;
    j.depth = (long)(offsets.len / 8), j.segments = (long)(starts.len / 8);
    /* Whatever the caller got wrong must not become a read or a write somewhere else. */
    if (j.images < 1 || j.groups < 1 || j.per_group < 1 || j.rows < 1 || j.width < 1 ||
        j.pitch < j.width || j.image_step < 0 || j.group_step < 0 || out.itemsize != size ||
        out_starts.len != starts.len || weights.len != j.groups * j.per_group * j.depth * size ||
        bias.len != j.groups * j.per_group * size) {
        PyErr_SetString(PyExc_ValueError, "slide: sizes do not go together");
        goto done;
    }
    const int64_t reach = (j.images - 1) * j.image_step + (j.groups - 1) * j.group_step +
                          most(starts.buf, j.segments) + most(offsets.buf, j.depth) +
                          (j.rows - 1) * j.pitch + j.width + most_vectors * lanes;
    int64_t extent = 0;
    for (int axis = 0; axis < out.ndim; axis++) {
        if (out.strides[axis] < 0 || out.shape[axis] < 1) extent = -1;
        if (extent < 0) break;
        extent += (out.shape[axis] - 1) * (out.strides[axis] / size);
    }
    const int64_t last = (j.images - 1) * j.out_image +
                         (j.groups * j.per_group - 1) * j.out_channel +
                         most(out_starts.buf, j.segments) + (j.rows - 1) * j.out_row +
                         (j.width - 1) * j.out_column;
    if (reach > cells.len / size || last > extent || j.out_image < 0 || j.out_channel < 0 ||
        j.out_row < 0 || j.out_column < 0) {
        PyErr_SetString(PyExc_ValueError, "slide: a window or an output lies outside its array");
        goto done;
    }
    j.cells = cells.buf, j.weights = weights.buf, j.bias = bias.buf, j.out = out.buf;
    j.offsets = offsets.buf, j.starts = starts.buf, j.out_starts = out_starts.buf;
    Py_BEGIN_ALLOW_THREADS
    (size == 4 ? slide_f : slide_d)(&j);
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
    int64_t need = bytes;
    if (rank < 1 || rank > 3 || (bytes != 4 && bytes != 8) || PyTuple_Size(lows) != rank ||
        PyTuple_Size(spans) != rank || f.phases < 1 || f.first < 0 || f.last < f.first ||
        f.last > x.shape[0]) {
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
    }
    f.step[0] = (long)(x.strides[0] / bytes), f.step[1] = (long)(x.strides[1] / bytes);
    need *= f.last - f.first;
    need *= f.channels;
    for (int axis = 0; axis < 3; axis++) {
        const long span = f.span[axis], line = (span + f.phases - 1) / f.phases * f.phases;
        if (span < 1 || span > (1L << 40)) need = -1;
        if (need < 0 || __builtin_mul_overflow(need, (int64_t)(axis == 2 ? line : span), &need)) {
            need = -1;
            break;
        }
    }
    if (need < 0 || need > to.len) {
        PyErr_SetString(PyExc_ValueError, "fill: the cells do not fit into the memory");
        goto done;
    }
    f.x = x.buf, f.to = to.buf;
    Py_BEGIN_ALLOW_THREADS
    (bytes == 4 ? fill_f : fill_d)(&f);
    Py_END_ALLOW_THREADS
    result = Py_None;
    Py_INCREF(result);
done:
    PyBuffer_Release(&to);
    if (x.obj) PyBuffer_Release(&x);
    return result;
}

PyDoc_STRVAR(isa_doc, "isa([name]): (instruction set, cells of room that vectors of float32 need behind\n"
                      "the last); with a name, take that one.");

static PyObject *isa(PyObject *self, PyObject *args)
{
    const char *wanted = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "|s:isa", &wanted)) return NULL;
    if (wanted && choose_isa(wanted))
        return PyErr_Format(PyExc_ValueError, "this processor or build has no %s", wanted);
    return Py_BuildValue("sl", isa_name, most_vectors * vector_bytes / 4);
}

static PyMethodDef methods[] = {
    {"slide", slide, METH_VARARGS, slide_doc},
    {"fill", fill, METH_VARARGS, fill_doc},
    {"isa", isa, METH_VARARGS, isa_doc},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    (void)module;
    return choose_isa(NULL);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)execute}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "convcli._tensors", "Compiled convolution of tensors.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__tensors(void) { return PyModuleDef_Init(&definition); }
