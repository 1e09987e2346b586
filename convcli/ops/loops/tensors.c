/* Convolution of tensors without columns: the windows are read where the cells lie.
 *
 * im2col and BLAS copy every cell once for each tap and multiply small matrices. Here one call is
 * one convolution (job.h), by the algorithm that Python has chosen (convcli/ops/algorithms.py).
 * Threads that call with the same memory share its units.
 *
 * Compiled once for each instruction set; chosen when the module is loaded (clones.h). */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define UNROLL _Pragma("GCC unroll 16")
#define INLINE static inline __attribute__((always_inline))

#define FAR ((int64_t)1 << 40) /* beyond any axis, and far from where sums of two wrap */

/* Add count * step to the sum. 0 if one is negative or the sum needs more than 64 bits: a product
 * that wraps would let a check pass. */
static int add(int64_t *sum, int64_t count, int64_t step)
{
    int64_t part;
    return count >= 0 && step >= 0 && !__builtin_mul_overflow(count, step, &part) &&
           !__builtin_add_overflow(*sum, part, sum);
}

#include "gradient_job.h"
#include "job.h"

/* What each instruction set provides. */
typedef struct {
    const char *name;
    const Algorithm *algorithms[2]; /* of float, of double */
    long (*gradient_plan_f)(Gradient *), (*gradient_plan_d)(Gradient *);
    void (*gradient_f)(const Gradient *, void *), (*gradient_d)(const Gradient *, void *);
} Isa;

#define CLONED "tensors_isa.h"
#include "clones.h"

/* At the beginning of the shared memory, zeros at first: the units that were claimed. */
typedef struct {
    int64_t prepare, prepared, perform;
} Claims;

#define CLAIMS ALIGNED((long)sizeof(Claims))

/* The buffers of one call. */
typedef struct {
    Py_buffer x, weight, bias, out, shared, own;
} Buffers;

static void release(Buffers *b)
{
    Py_buffer *all[] = {&b->x, &b->weight, &b->bias, &b->out, &b->shared, &b->own};
    for (int i = 0; i < 6; i++)
        if (all[i]->obj) PyBuffer_Release(all[i]);
}

/* Sizes and steps of (N, C, *size), with three spatial axes; 0 if it is not that. */
static int sizes(const Py_buffer *b, long size, long *lead, long *spatial, long *step)
{
    const int rank = b->ndim - 2;
    if (rank < 1 || rank > 3 || b->itemsize != size) return 0;
    for (int axis = 0; axis < 3; axis++) spatial[axis] = 1, step[axis + 2] = 0;
    for (int i = 0; i < b->ndim; i++) {
        const int axis = i < 2 ? i : i + 3 - rank;
        if (b->shape[i] < 1 || b->shape[i] > FAR || b->strides[i] % size) return 0;
        *(i < 2 ? &lead[i] : &spatial[axis - 2]) = (long)b->shape[i];
        step[axis] = (long)(b->strides[i] / size);
    }
    return 1;
}

/* What one of several convolutions of a call is told: the algorithm, groups, units wanted, then on
 * three axes kernel, stride, dilation, start, and of the outputs the first and the step. */
#define NUMBERS 21

/* The job that the numbers and the buffers say, planned; its weights begin at `weight` bytes, which
 * are moved behind them. NULL if they do not go together. Whatever the caller got wrong must not
 * become a read or a write somewhere else. */
static const Algorithm *understood(const int64_t *n, const Buffers *b, int64_t *weight, Job *j)
{
    int64_t taps = 1, depth = 0, channels = 0, end = *weight;
    long lead[2], out_lead[2], place = 0;
    const long size = (long)b->x.itemsize;
    if (n[0] < 0 || n[0] >= ALGORITHMS || n[1] < 1 || n[1] > FAR || n[2] < 1 || n[2] > FAR ||
        !sizes(&b->x, size, lead, j->size, j->step) ||
        !sizes(&b->out, size, out_lead, j->outputs, j->out_step) || b->x.ndim != b->out.ndim ||
        lead[0] != out_lead[0] || lead[1] % n[1] || out_lead[1] % n[1])
        return NULL;
    j->batch = lead[0], j->groups = (long)n[1], j->pieces = (long)n[2];
    j->channels = lead[1] / j->groups, j->per_group = out_lead[1] / j->groups;
    for (int a = 0; a < 3; a++) {
        const int64_t kernel = n[3 + a], stride = n[6 + a], dilation = n[9 + a], start = n[12 + a];
        const int64_t first = n[15 + a], apart = n[18 + a];
        int64_t reach = 1, all = 0;
        if (first < 0 || first >= j->outputs[a] || apart < 1 || apart > FAR) return NULL;
        place += (long)first * j->out_step[a + 2];
        j->outputs[a] = (j->outputs[a] - (long)first + (long)apart - 1) / (long)apart;
        j->out_step[a + 2] *= j->outputs[a] > 1 ? (long)apart : 1;
        if (kernel < 1 || stride < 1 || dilation < 1 || start < -FAR || start > FAR ||
            !add(&reach, kernel - 1, dilation) || !add(&reach, j->outputs[a] - 1, stride) ||
            reach > FAR || stride > FAR || dilation > FAR || !add(&all, taps, kernel))
            return NULL;
        taps = all;
        j->kernel[a] = (long)kernel, j->stride[a] = (long)stride;
        j->dilation[a] = (long)dilation, j->start[a] = (long)start;
    }
    if (!add(&depth, taps, j->channels) || !add(&channels, out_lead[1], size) ||
        !add(&end, channels, depth) || end > b->weight.len ||
        (b->bias.obj && b->bias.len != channels))
        return NULL;
    j->depth = (long)depth;
    j->x = b->x.buf, j->out = (char *)b->out.buf + place * size;
    j->weight = (char *)b->weight.buf + *weight;
    j->bias = b->bias.obj ? b->bias.buf : NULL;
    *weight = end;
    const Algorithm *algorithm = &loops->algorithms[size == 8][n[0]];
    return algorithm->plan && algorithm->plan(j) ? algorithm : NULL;
}

/* The convolutions of a call, all into one array. */
typedef struct {
    long count, prepared, units; /* how many; units of all, and the most units of one */
    long shared_bytes, own_bytes;
    Job *jobs;
    const Algorithm **algorithms;
} Call;

static void forget(Call *call)
{
    free(call->jobs), free(call->algorithms);
}

/* All jobs; 0, with an exception, if something does not go together. */
static int planned(const char *name, const Py_buffer *numbers, const Buffers *b, Call *call)
{
    const long count = (long)(numbers->len / (8 * NUMBERS)), size = (long)b->x.itemsize;
    int64_t n[NUMBERS], weight = 0, shared = 0, prepared = 0;
    int fits = count > 0 && numbers->len % (8 * NUMBERS) == 0 && (size == 4 || size == 8);
    call->jobs = fits ? calloc((size_t)count, sizeof(Job)) : NULL;
    call->algorithms = fits ? calloc((size_t)count, sizeof(Algorithm *)) : NULL;
    if (fits && !(call->jobs && call->algorithms)) {
        PyErr_NoMemory();
        return 0;
    }
    for (long i = 0; fits && i < count; i++) {
        Job *j = call->jobs + i;
        memcpy(n, (char *)numbers->buf + i * (long)sizeof n, sizeof n);
        call->algorithms[i] = understood(n, b, &weight, j);
        fits = call->algorithms[i] && add(&shared, 1, ALIGNED(j->shared_bytes)) &&
               add(&prepared, 1, j->prepared);
        if (j->units > call->units) call->units = j->units;
        if (j->own_bytes > call->own_bytes) call->own_bytes = j->own_bytes;
    }
    if (!fits || weight != b->weight.len) {
        PyErr_Format(PyExc_ValueError, "%s: sizes do not go together", name);
        return 0;
    }
    call->count = count, call->prepared = (long)prepared, call->shared_bytes = (long)shared;
    return 1;
}

static int buffers(PyObject *const *given, Buffers *b)
{
    return !PyObject_GetBuffer(given[0], &b->x, PyBUF_STRIDES) &&
           !PyObject_GetBuffer(given[1], &b->weight, PyBUF_SIMPLE) &&
           (given[2] == Py_None || !PyObject_GetBuffer(given[2], &b->bias, PyBUF_SIMPLE)) &&
           !PyObject_GetBuffer(given[3], &b->out, PyBUF_STRIDES | PyBUF_WRITABLE);
}

PyDoc_STRVAR(memory_doc,
"memory(numbers, x, weight, bias, out): bytes that all threads need together, and that each needs.");

static PyObject *memory(PyObject *self, PyObject *args)
{
    Py_buffer numbers;
    Buffers b = {0};
    PyObject *given[4], *result = NULL;
    Call call = {0};
    (void)self;
    if (!PyArg_ParseTuple(args, "y*OOOO:memory", &numbers, &given[0], &given[1], &given[2], &given[3]))
        return NULL;
    if (buffers(given, &b) && planned("memory", &numbers, &b, &call))
        result = Py_BuildValue("(ll)", CLAIMS + call.shared_bytes, call.own_bytes);
    forget(&call);
    PyBuffer_Release(&numbers);
    release(&b);
    return result;
}

/* Claim units until there are none; what is performed needs all that is prepared. The outputs of
 * all jobs at one place are made one after the other, while their lines are in the cache. */
static void work(const Call *call, Claims *claims)
{
    int64_t unit;
    while ((unit = __atomic_fetch_add(&claims->prepare, 1, __ATOMIC_RELAXED)) < call->prepared) {
        long i = 0;
        for (; unit >= call->jobs[i].prepared; i++) unit -= call->jobs[i].prepared;
        call->algorithms[i]->prepare(call->jobs + i, (long)unit);
        __atomic_fetch_add(&claims->prepared, 1, __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(&claims->prepared, __ATOMIC_ACQUIRE) < call->prepared) sched_yield();
    while ((unit = __atomic_fetch_add(&claims->perform, 1, __ATOMIC_RELAXED)) < call->units)
        for (long i = 0; i < call->count; i++)
            if (unit < call->jobs[i].units) call->algorithms[i]->perform(call->jobs + i, (long)unit);
}

PyDoc_STRVAR(run_doc,
"run(numbers, x, weight, bias, out, shared, own)\n"
"Correlate x (N, C, *size) with weight (C', C/groups, *kernel), contiguous, into out; float32 or\n"
"float64. Or several of that, each into some of the outputs, their weights one behind the other.\n"
"`numbers` are int64, 21 for each: the algorithm, groups, units wanted, and on three axes kernel,\n"
"stride, dilation, start, and of the outputs the first and the step. `shared` begins with zeros;\n"
"threads that are given the same share the work, and the last to return has seen all of it done.");

static PyObject *run(PyObject *self, PyObject *args)
{
    Py_buffer numbers;
    Buffers b = {0};
    PyObject *given[4], *shared, *own, *result = NULL;
    Call call = {0};
    (void)self;
    if (!PyArg_ParseTuple(args, "y*OOOOOO:run", &numbers, &given[0], &given[1], &given[2],
                          &given[3], &shared, &own))
        return NULL;
    if (!buffers(given, &b) || PyObject_GetBuffer(shared, &b.shared, PyBUF_WRITABLE) ||
        PyObject_GetBuffer(own, &b.own, PyBUF_WRITABLE) || !planned("run", &numbers, &b, &call))
        goto done;
    if (b.shared.len < CLAIMS + call.shared_bytes || b.own.len < call.own_bytes ||
        ((uintptr_t)b.shared.buf | (uintptr_t)b.own.buf) % 8) {
        PyErr_SetString(PyExc_ValueError, "run: the memory is too small, or lies askew");
        goto done;
    }
    char *part = (char *)b.shared.buf + CLAIMS;
    for (long i = 0; i < call.count; part += ALIGNED(call.jobs[i].shared_bytes), i++)
        call.jobs[i].shared = part, call.jobs[i].own = b.own.buf;
    Py_BEGIN_ALLOW_THREADS
    work(&call, b.shared.buf);
    Py_END_ALLOW_THREADS
    result = Py_None;
    Py_INCREF(result);
done:
    forget(&call);
    PyBuffer_Release(&numbers);
    release(&b);
    return result;
}

#include "gradient_call.h"

static PyMethodDef methods[] = {
    {"memory", memory, METH_VARARGS, memory_doc},
    {"run", run, METH_VARARGS, run_doc},
    {"gradient", gradient, METH_VARARGS, gradient_doc},
    CLONES_METHODS,
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {CLONES_SLOT, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "convcli._tensors", "Compiled convolution of tensors.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__tensors(void) { return PyModuleDef_Init(&definition); }
