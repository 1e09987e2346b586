/* PNG's row filters (PNG specification, third edition, section 9), done and undone.
 *
 * Undoing runs at the speed that the dependence of each byte on the one `step` bytes before
 * allows. `step` is made a constant in the inner loops, and the pixel to the left stays in a
 * vector, which Paeth widens to 16 bits. Why: inflating with ISA-L leaves this as the larger half
 * of decoding; libpng takes 0.5 s for a photograph of 24 megapixels, inflating and these loops
 * together 0.1 s.
 *
 * Doing tries four filters on each row and takes the one with the least sum of absolute
 * differences (section 12.7). Why: one filter for a whole strip costs 4 % more bytes. The sums
 * come first and only the best filter's bytes are made: 2.5 GB/s, 1 with all four rows in memory.
 *
 * Samples of 16 bits, big-endian in the file, are swapped here, row by row in the cache. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

enum { NONE, SUB, UP, AVERAGE, PAETH };

#define INLINE static inline __attribute__((always_inline))

typedef uint8_t Narrow __attribute__((vector_size(8)));
typedef int16_t Wide __attribute__((vector_size(16)));
typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef uint16_t Pairs __attribute__((vector_size(16)));
typedef uint64_t Words __attribute__((vector_size(16)));

/* Where the first four bytes of a word are in it. */
enum { FIRST_FOUR = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 32 };

/* A pixel of `n` bytes in the lower half of a vector, as it is or each byte in 16 bits. */
INLINE uint64_t word(const uint8_t *from, size_t n)
{
    uint64_t bytes = 0;
    if (n == 4) {
        uint32_t four;
        memcpy(&four, from, 4);
        bytes = (uint64_t)four << FIRST_FOUR;
    } else {
        memcpy(&bytes, from, n);
    }
    return bytes;
}

INLINE Bytes load_bytes(const uint8_t *from, size_t n) { return (Bytes)(Words){word(from, n), 0}; }

INLINE Wide load_wide(const uint8_t *from, size_t n)
{
    const uint64_t bytes = word(from, n);
    Narrow narrow;
    memcpy(&narrow, &bytes, 8);
    return __builtin_convertvector(narrow, Wide);
}

INLINE void store_bytes(Bytes pixel, uint8_t *to, size_t n)
{
    const uint64_t bytes = ((Words)pixel)[0];
    memcpy(to, &bytes, n);
}

INLINE void store_wide(Wide pixel, uint8_t *to, size_t n)
{
    const Narrow narrow = __builtin_convertvector(pixel, Narrow);
    memcpy(to, &narrow, n);
}

INLINE Bytes mean_of_each(Bytes a, Bytes b)
{
    return (a & b) + ((Bytes)((Pairs)(a ^ b) >> 1) & 127);
}

INLINE Wide size_of_each(Wide x)
{
    const Wide below = x < 0;
    return (x ^ below) - below;
}

/* x + paeth(a, b, c). All three sums are made while the comparisons are under way. */
INLINE Wide nearest_sum(Wide x, Wide a, Wide b, Wide c)
{
    const Wide da = b - c, db = a - c;
    const Wide pa = size_of_each(da), pb = size_of_each(db), pc = size_of_each(da + db);
    const Wide xa = (x + a) & 255, xb = (x + b) & 255, xc = (x + c) & 255;
    const Wide take_c = pb > pc, not_a = (pa > pb) | (pa > pc);
    return (not_a & ((take_c & xc) | (~take_c & xb))) | (~not_a & xa);
}

/* The same with fewer instructions, which take longer one after the other. */
INLINE Wide nearest_sum_in_turn(Wide x, Wide a, Wide b, Wide c)
{
    const Wide da = b - c, db = a - c;
    const Wide pa = size_of_each(da), pb = size_of_each(db), pc = size_of_each(da + db);
    const Wide other = b ^ ((b ^ c) & (pb > pc));
    return (x + (a ^ ((a ^ other) & ((pa > pb) | (pa > pc))))) & 255;
}

INLINE uint8_t least(uint8_t a, uint8_t b) { return a < b ? a : b; }
INLINE uint8_t apart(uint8_t a, uint8_t b) { return (uint8_t)(a > b ? a - b : b - a); }
INLINE uint8_t size(uint8_t d) { return least(d, (uint8_t)-d); }

INLINE uint8_t mean(uint8_t a, uint8_t b)
{
    return (uint8_t)((a & b) + ((uint8_t)(a ^ b) >> 1));
}

/* In bytes, twice as many of which fit in a vector as of 16 bits. Of |a + b - 2c| all that counts
 * is whether it is the least: where a and b lie on the same side of c it is the sum of the other
 * two distances and never is, elsewhere it is their difference. */
INLINE uint8_t nearest(uint8_t a, uint8_t b, uint8_t c)
{
    const uint8_t pa = apart(b, c), pb = apart(a, c);
    const uint8_t pc = (b > c) == (a > c) ? 255 : apart(pa, pb);
    const uint8_t other = pb <= pc ? b : c;
    return pa <= least(pb, pc) ? a : other;
}

enum { BLOCK = 512 };

/* As a sum of distances from zero, for which processors and compilers have one instruction: adding
 * bytes as they are takes twice as long. */
INLINE uint64_t total(const uint8_t *restrict sizes, const uint8_t *restrict zeros, long n)
{
    uint32_t sum = 0;
    for (long i = 0; i < n; i++) sum += (uint32_t)abs(sizes[i] - zeros[i]);
    return sum;
}

/* What each instruction set provides. */
typedef struct {
    const char *name;
    void (*one_row)(int kind, const uint8_t *in, const uint8_t *up, uint8_t *out, long n, long step);
    void (*two_rows)(const uint8_t *in, const uint8_t *up, uint8_t *out, long n, long step);
    void (*swap)(const uint8_t *from, uint8_t *to, long n);
    void (*swap_here)(uint8_t *row, long n);
    void (*filter_row)(const uint8_t *x, const uint8_t *up, uint8_t *out, long n, long step);
} Isa;

#define CLONED "png/isa.h"
#include "clones.h"

/* A picture that comes row by row. */
typedef struct {
    uint8_t *pixels;
    const uint8_t *zeros;
    Py_ssize_t done, height, row_bytes, step;
    int swap;
} Picture;

/* The next row of so many that are there one after the other, or two of Paeth's, and what is wrong
 * with it, NULL if nothing is. Returns how many were done. */
static Py_ssize_t next_rows(Picture *p, const uint8_t *row, Py_ssize_t there, const char **fault)
{
    const Py_ssize_t n = p->row_bytes, left = p->height - p->done;
    const int two = there > 1 && left > 1 && *row == PAETH && row[n + 1] == PAETH;
    if (!left) return *fault = "there are more rows than the picture has", 0;
    if (*row > PAETH) return *fault = "a row has an unknown filter", 0;
    uint8_t *out = p->pixels + p->done * n;
    const uint8_t *up = p->done ? out - n : p->zeros;
    if (two)
        loops->two_rows(row + 1, up, out, n, p->step);
    else
        loops->one_row(*row, row + 1, up, out, n, p->step);
    /* A row is needed as the file has it until the one below is done. */
    if (p->swap && p->done) loops->swap_here(out - n, n);
    if (p->swap && two) loops->swap_here(out, n);
    p->done += 1 + two;
    if (p->swap && p->done == p->height) loops->swap_here(out + two * n, n);
    return 1 + two;
}

PyDoc_STRVAR(unfilter_doc,
             "unfilter(data, begun, have, pixels, done, row_bytes, step, swap=False)\n"
             "    -> (done, have)\n\n"
             "Undo the filters of the rows, of 1 + row_bytes bytes each, that a piece of data\n"
             "completes, into `pixels`, of which so many rows are `done`. `begun` has the first\n"
             "`have` bytes of the row in which the last piece ended. With `swap` the bytes of each\n"
             "sample of 16 bits change places, in the last row when the picture is complete.\n"
             "ValueError for an unknown filter or too many rows.");

static PyObject *unfilter(PyObject *self, PyObject *args)
{
    Py_buffer data, begun, pixels;
    Py_ssize_t have;
    Picture p = {0};
    const char *fault = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*w*nw*nnn|p:unfilter", &data, &begun, &have, &pixels, &p.done,
                          &p.row_bytes, &p.step, &p.swap))
        return NULL;
    /* The counts come from our own Python, which took them from the file: trust neither. */
    const Py_ssize_t step = p.step, size = p.row_bytes < PY_SSIZE_T_MAX ? p.row_bytes + 1 : 0;
    if (p.row_bytes < 1 || size < 1 || p.row_bytes % (step > 0 ? step : 1) ||
        !(step == 1 || step == 2 || step == 3 || step == 4 || step == 6 || step == 8))
        fault = "the rows have no such shape";
    else if (p.done < 0 || p.done > pixels.len / p.row_bytes || begun.len < size || have < 0 ||
             have >= size)
        fault = "the rows do not fit";
    else {
        uint8_t *zeros = p.done ? NULL : PyMem_Calloc((size_t)p.row_bytes, 1);
        if (!p.done && !zeros) {
            PyBuffer_Release(&data), PyBuffer_Release(&begun), PyBuffer_Release(&pixels);
            return PyErr_NoMemory();
        }
        p.pixels = pixels.buf, p.zeros = zeros, p.height = pixels.len / p.row_bytes;
        const uint8_t *at = data.buf, *end = at + data.len;
        uint8_t *row = begun.buf;
        Py_BEGIN_ALLOW_THREADS
        if (have) {
            const Py_ssize_t n = size - have < end - at ? size - have : end - at;
            memcpy(row + have, at, (size_t)n);
            at += n, have += n;
            if (have == size) have = 0, next_rows(&p, row, 1, &fault);
        }
        while (!fault && end - at >= size) at += size * next_rows(&p, at, (end - at) / size, &fault);
        if (!fault && at < end) {
            have = end - at;
            memcpy(row, at, (size_t)have);
        }
        Py_END_ALLOW_THREADS
        PyMem_Free(zeros);
    }
    PyBuffer_Release(&data), PyBuffer_Release(&begun), PyBuffer_Release(&pixels);
    if (fault) {
        PyErr_SetString(PyExc_ValueError, fault);
        return NULL;
    }
    return Py_BuildValue("nn", p.done, have);
}

PyDoc_STRVAR(filter_doc,
             "filter(pixels, above, out, count, row_bytes, step, swap=False)\n\n"
             "Filter `count` rows of row_bytes bytes into rows of 1 + row_bytes; `above` is the\n"
             "row before the first, or empty at the top of the picture. With `swap` the bytes of\n"
             "each sample of 16 bits change places first.");

static PyObject *filter(PyObject *self, PyObject *args)
{
    Py_buffer pixels, above, out;
    Py_ssize_t count, row_bytes, step;
    int swapped = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*w*nnn|p:filter", &pixels, &above, &out, &count, &row_bytes,
                          &step, &swapped))
        return NULL;
    int fits = row_bytes > 0 && row_bytes < PY_SSIZE_T_MAX && count >= 0 && step > 0 && step <= row_bytes &&
               count <= pixels.len / row_bytes && count <= out.len / (row_bytes + 1) &&
               (above.len == 0 || above.len >= row_bytes);
    /* Zeros above the first row, and two rows with their bytes swapped. */
    uint8_t *rows = fits ? PyMem_Calloc((size_t)row_bytes, 3) : NULL;
    if (rows) {
        const Isa *isa = loops;
        uint8_t *even = rows + row_bytes, *odd = even + row_bytes;
        Py_BEGIN_ALLOW_THREADS
        const uint8_t *up = above.len ? above.buf : rows;
        if (swapped && above.len) isa->swap(up, odd, row_bytes), up = odd;
        for (Py_ssize_t r = 0; r < count; r++) {
            const uint8_t *x = (const uint8_t *)pixels.buf + r * row_bytes;
            if (swapped) {
                uint8_t *other = r % 2 ? odd : even;
                isa->swap(x, other, row_bytes), x = other;
            }
            isa->filter_row(x, up, (uint8_t *)out.buf + r * (row_bytes + 1), row_bytes, step);
            up = x;
        }
        Py_END_ALLOW_THREADS
        PyMem_Free(rows);
    }
    PyBuffer_Release(&pixels), PyBuffer_Release(&above), PyBuffer_Release(&out);
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "the rows do not fit");
        return NULL;
    }
    if (!rows) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"unfilter", unfilter, METH_VARARGS, unfilter_doc},
    {"filter", filter, METH_VARARGS, filter_doc},
    {"gather", png_gather, METH_VARARGS, png_gather_doc},
    {"pack", png_pack, METH_VARARGS, png_pack_doc},
    {"scan", jpeg_scan, METH_VARARGS, jpeg_scan_doc},
    {"band", jpeg_band, METH_VARARGS, jpeg_band_doc},
    CLONES_METHODS,
    {NULL, NULL, 0, NULL},
};

static int prepare(PyObject *module)
{
    (void)module;
    png_make_tables();
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)prepare}, CLONES_SLOT, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "convcli._png", "PNG row filters, JPEG scans.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__png(void) { return PyModuleDef_Init(&definition); }
