/* Some rows of units of a JPEG as coded data of their own.
 *
 * Why: libjpeg gives no row of a picture before those above are decoded, and works on one thread.
 * A row of units begins in the middle of a byte, and its DC coefficients are coded as differences
 * from the row above (T.81, F.1.1.5.1). So the first unit is coded anew, as one whose predecessors
 * are 0; all that follows is copied bit by bit, zeros stuffed behind every 0xff (B.1.1.5).
 * A restart marker, at which differences begin anew, cannot stay, since a band need not begin at one:
 * the unit behind it is coded anew too, so that it goes on from the one before. scan.c has noted where
 * all that is. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jpeg/huffman.h"
#include "png/rows.h"

enum { CATEGORIES = 12, LARGEST = (1 << (CATEGORIES - 1)) - 1 };

/* How the differences of DC coefficients are coded (T.81, F.1.2.1 and C.2). */
typedef struct {
    uint16_t code[CATEGORIES];
    uint8_t length[CATEGORIES]; /* 0 where there is no code */
} Codes;

static Codes codes_of(const uint8_t *table, Py_ssize_t size)
{
    Codes codes = {0};
    uint32_t code = 0;
    Py_ssize_t k = LONGEST;
    for (int length = 1; length <= LONGEST; length++, code <<= 1)
        for (int i = 0; i < table[length - 1] && k < size; i++, code++, k++) {
            const uint8_t category = table[k];
            if (category >= CATEGORIES || codes.length[category]) continue;
            codes.code[category] = (uint16_t)code, codes.length[category] = (uint8_t)length;
        }
    return codes;
}

/* Coded data in the making. */
typedef struct {
    uint8_t *bytes;
    size_t n, room;
    uint64_t bits; /* from the right */
    int have;
} Writer;

/* Room for some bytes more, each with a zero stuffed. */
static int has_room(Writer *w, int64_t bytes)
{
    const size_t need = w->n + 2 * (size_t)bytes;
    if (need <= w->room) return 1;
    const size_t room = need + w->room / 2;
    uint8_t *more = realloc(w->bytes, room);
    if (more) w->bytes = more, w->room = room;
    return more != NULL;
}

static inline void put(Writer *w, uint32_t value, int n)
{
    w->bits = w->bits << n | value, w->have += n;
    while (w->have >= 8) {
        w->have -= 8;
        const uint8_t byte = (uint8_t)(w->bits >> w->have);
        w->bytes[w->n++] = byte;
        if (byte == 0xff) w->bytes[w->n++] = 0;
    }
}

static void copy(Writer *w, Reader *r, int64_t n)
{
    for (; n >= 32; n -= 32) {
        const uint32_t value = take(r, 32);
        const uint64_t bits = w->bits << 32 | value;
        const uint32_t next = (uint32_t)(bits >> w->have);
        if ((next & 0x80808080) & (~next - 0x01010101)) { /* a byte of it may be 0xff */
            put(w, value, 32);
            continue;
        }
        for (int i = 0; i < 4; i++) w->bytes[w->n + (size_t)i] = (uint8_t)(next >> (24 - 8 * i));
        w->n += 4, w->bits = bits;
    }
    put(w, take(r, (int)n), (int)n);
}

/* Data bits from one place to another, zeros that are stuffed left out. */
static int64_t bits_between(const uint8_t *start, int64_t from, int64_t to)
{
    int64_t stuffed = 0;
    for (int64_t i = from / 8; i < to / 8; i++) stuffed += start[i] == 0xff;
    return to - from - 8 * stuffed;
}

typedef struct {
    const uint8_t *start;
    Py_ssize_t size;
    const uint8_t *blocks, *parts; /* of a unit, as in scan.c */
    Py_ssize_t n_blocks;
    const Table *tables;
    Codes codes[4];
    Writer out;
} Band;

static int copy_between(Band *band, int64_t from, int64_t to)
{
    const int64_t bits = from <= to ? bits_between(band->start, from, to) : -1;
    if (bits < 0) return 0; /* or one of them lies in a zero that is stuffed */
    Reader r = reader_at(band->start, band->size, from);
    copy(&band->out, &r, bits);
    return !r.fault;
}

/* The units from one place to another, the first coded anew, its differences larger by `more`.
 * Returns whether that can be. */
static int put_piece(Band *band, int64_t from, int64_t to, const int32_t *more)
{
    Writer *w = &band->out;
    if (from < 0 || from > to || to > 8 * (int64_t)band->size) return 0;
    if (!has_room(w, (to - from) / 8 + 64)) return 0;
    Reader r = reader_at(band->start, band->size, from);
    unsigned met = 0;
    for (Py_ssize_t i = 0; i < band->n_blocks; i++) {
        const int part = band->parts[i], table = band->blocks[i] >> 4;
        const int first = !(met >> part & 1); /* the others of a component follow from it */
        const int64_t here = place(&r, band->start);
        if (here > to || (first && !copy_between(band, from, here))) return 0;
        const int32_t value = difference(&r, band->tables + table);
        if (first) {
            const int32_t wanted = value + more[part], size = wanted < 0 ? -wanted : wanted;
            int category = 0;
            while (size >> category) category++;
            if (category >= CATEGORIES || !band->codes[table].length[category]) return 0;
            put(w, band->codes[table].code[category], band->codes[table].length[category]);
            put(w, (uint32_t)(wanted < 0 ? wanted + (1 << category) - 1 : wanted), category);
            from = place(&r, band->start);
            met |= 1u << part;
        }
        pass_over(&r, band->tables + 4 + (band->blocks[i] & 15));
        if (r.fault) return 0;
    }
    return copy_between(band, from, to);
}

/* From one mark to another, over the restart markers between. */
static int put_band(Band *band, const Mark *mark, const Mark *last)
{
    int32_t before[MOST_PARTS] = {0};
    while (mark < last) {
        const Mark *next = mark + 1;
        while (next < last && !next->restart) next++;
        int32_t more[MOST_PARTS] = {0};
        for (int i = 0; i < MOST_PARTS; i++) {
            const int64_t gap = (int64_t)(mark->restart ? 0 : mark->dc[i]) - before[i];
            if (gap < -LARGEST || gap > LARGEST) return 0;
            more[i] = (int32_t)gap;
        }
        if (!put_piece(band, mark->at, next->before, more)) return 0;
        memcpy(before, next->dc, sizeof before);
        mark = next;
    }
    if (!has_room(&band->out, 1)) return 0;
    const int rest = -band->out.have & 7;
    put(&band->out, (1u << rest) - 1, rest); /* F.1.2.3 */
    return 1;
}

static const Mark *mark_of(const Mark *marks, Py_ssize_t n, int64_t unit)
{
    Py_ssize_t low = 0;
    for (Py_ssize_t high = n; low < high;) {
        const Py_ssize_t middle = low + (high - low) / 2;
        if (marks[middle].unit < unit)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && marks[low].unit == unit ? marks + low : NULL;
}

const char jpeg_band_doc[] =
    "band(data, marks, first, last, tables, codes, blocks, parts) -> bytes\n\n"
    "The units from the first up to the last, each the first of a row, as coded data without\n"
    "restart markers. `marks`, `tables`, `blocks` and `parts` are those of `scan`; `codes` has four\n"
    "tables for DC, with which the result is to be read: those of the file, with codes more for\n"
    "what they lack. ValueError if that cannot be.";

PyObject *jpeg_band(PyObject *self, PyObject *args)
{
    Py_buffer data, marks, given[8], codes[4], blocks, parts;
    Py_ssize_t first, last;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*nn(y*y*y*y*y*y*y*y*)(y*y*y*y*)y*y*:band", &data, &marks, &first,
                          &last, given, given + 1, given + 2, given + 3, given + 4, given + 5,
                          given + 6, given + 7, codes, codes + 1, codes + 2, codes + 3, &blocks,
                          &parts))
        return NULL;
    Table *tables = PyMem_Malloc(8 * sizeof *tables);
    Band band = {.start = data.buf, .size = data.len, .blocks = blocks.buf, .parts = parts.buf};
    band.n_blocks = blocks.len, band.tables = tables;
    int sound = tables && blocks.len == parts.len && blocks.len <= MOST_BLOCKS &&
                marks.len % (Py_ssize_t)sizeof(Mark) == 0 &&
                (uintptr_t)marks.buf % _Alignof(Mark) == 0;
    for (int i = 0; i < 8 && sound; i++) sound = make_table(tables + i, given[i].buf, given[i].len);
    for (int i = 0; i < 4; i++)
        if (codes[i].len >= LONGEST) band.codes[i] = codes_of(codes[i].buf, codes[i].len);
    for (Py_ssize_t i = 0; i < blocks.len && sound; i++) {
        const int dc = band.blocks[i] >> 4, ac = band.blocks[i] & 15;
        sound = dc < 4 && ac < 4 && band.parts[i] < MOST_PARTS && tables[dc].there &&
                tables[4 + ac].there;
    }
    const Py_ssize_t n = marks.len / (Py_ssize_t)sizeof(Mark);
    const Mark *from = mark_of(marks.buf, n, first), *to = mark_of(marks.buf, n, last);
    sound = sound && from && to && from < to;
    if (sound) {
        Py_BEGIN_ALLOW_THREADS
        sound = put_band(&band, from, to);
        Py_END_ALLOW_THREADS
    }
    PyObject *result = NULL;
    if (sound)
        result = PyBytes_FromStringAndSize((const char *)band.out.bytes, (Py_ssize_t)band.out.n);
    else
        PyErr_SetString(PyExc_ValueError, "no such rows");
    free(band.out.bytes);
    PyMem_Free(tables);
    PyBuffer_Release(&data), PyBuffer_Release(&marks), PyBuffer_Release(&blocks);
    PyBuffer_Release(&parts);
    for (int i = 0; i < 8; i++) PyBuffer_Release(given + i);
    for (int i = 0; i < 4; i++) PyBuffer_Release(codes + i);
    return result;
}
