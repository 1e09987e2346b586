/* One source, compiled once for each instruction set, and the choice among the copies.
 *
 * A file that includes this one defines CLONED, the header to be compiled several times, and the
 * type Isa, a table of what every copy provides, whose first member is `const char *name`.
 * CLONED finds these defined, and defines `static const Isa ISA(isa)`:
 *   ISA(x)    x with the set's name before it: base_x, avx2_x, avx512_x
 *   ISA_NAME  "base", "avx2" or "avx512"
 *   VBYTES    bytes of a vector register: 16, 32, 64
 *
 * The best copy that the processor can run is taken when the module is loaded (CLONES_SLOTS);
 * `isa([name])` and `isas()` (CLONES_METHODS) tell, and hold the module to another one.
 *
 * Why not target_clones: GCC 11 knows no arch=x86-64-v4, Clang and musl have no such clones, and
 * a table can be held to one copy by tests. */

#include <limits.h>
#include <stdint.h>

#if !defined(__GNUC__)
#error "the loops need the vector types of GCC or Clang; convcli then uses its NumPy loops"
#endif

#if LONG_MAX < PTRDIFF_MAX
#error "the loops count in long, which is too short on 64-bit Windows; convcli then uses NumPy's"
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)

#define ISA(name) JOIN(base, name)
#define ISA_NAME "base"
#define VBYTES 16
#include CLONED
#undef ISA
#undef ISA_NAME
#undef VBYTES

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define ISA(name) JOIN(avx2, name)
#define ISA_NAME "avx2"
#define VBYTES 32
#include CLONED
#undef ISA
#undef ISA_NAME
#undef VBYTES
/* GCC makes vectors of 64 bytes on demand only. Clang does so by itself, and drops the whole
 * attribute, the instruction set with it, where it reads prefer-vector-width. */
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(                                                          \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma,prefer-vector-width=512")
#endif
#define ISA(name) JOIN(avx512, name)
#define ISA_NAME "avx512"
#define VBYTES 64
#include CLONED
#undef ISA
#undef ISA_NAME
#undef VBYTES
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

static const Isa *loops = &base_isa;

/* The copies that this processor can run, the best one first; returns how many. */
static int runnable(const Isa *found[3])
{
    int count = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
            found[count++] = &avx512_isa;
        found[count++] = &avx2_isa;
    }
#endif
    found[count++] = &base_isa;
    return count;
}

PyDoc_STRVAR(clones_isa_doc, "isa([name]): instruction set in use; with a name, take that one.");

static PyObject *clones_isa(PyObject *self, PyObject *args)
{
    const char *wanted = NULL;
    const Isa *found[3];
    (void)self;
    if (!PyArg_ParseTuple(args, "|s:isa", &wanted)) return NULL;
    if (wanted) {
        int i = runnable(found) - 1;
        while (i >= 0 && strcmp(found[i]->name, wanted)) i--;
        if (i < 0) return PyErr_Format(PyExc_ValueError, "this processor or build has no %s", wanted);
        loops = found[i];
    }
    return PyUnicode_FromString(loops->name);
}

PyDoc_STRVAR(clones_isas_doc, "isas(): names of the instruction sets that can be taken, the best first.");

static PyObject *clones_isas(PyObject *self, PyObject *args)
{
    const Isa *found[3];
    (void)self, (void)args;
    switch (runnable(found)) {
    case 3: return Py_BuildValue("(sss)", found[0]->name, found[1]->name, found[2]->name);
    case 2: return Py_BuildValue("(ss)", found[0]->name, found[1]->name);
    default: return Py_BuildValue("(s)", found[0]->name);
    }
}

#define CLONES_METHODS                                       \
    {"isa", clones_isa, METH_VARARGS, clones_isa_doc},       \
    {"isas", clones_isas, METH_NOARGS, clones_isas_doc}

static int clones_choose(PyObject *module)
{
    const Isa *found[3];
    (void)module;
    runnable(found);
    loops = found[0];
    return 0;
}

#define CLONES_SLOT {Py_mod_exec, (void *)clones_choose}
