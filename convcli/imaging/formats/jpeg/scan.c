/* Whether the coded data of a JPEG scan are whole: Huffman's codes are followed to the end, and no
 * pixel is made. On the way it is noted where each row of units begins (bands.c).
 *
 * Why: libjpeg fills in gray where data lack, and warns of it in a counter that neither Pillow nor
 * imagecodecs shows. Source: ITU-T T.81, sections F.2.2 and G.2; where data are damaged, jdhuff.c
 * and jdphuff.c of libjpeg decide what the next bit means. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jpeg/huffman.h"
#include "png/rows.h"

/* What a block needs to know beside the bits. */
typedef struct {
    const Table *dc, *ac;
    int first, last, refines; /* of the spectral band; whether a scan of these went before */
    uint32_t run;             /* blocks without further coefficients */
    uint64_t *known;          /* coefficients other than 0, a bit each */
    int32_t *value;           /* the last DC coefficient of its component */
    uint32_t odd;             /* whether one lay outside the range that samples of 8 bits give */
} Block;

static void sequential(Reader *reader, Block *b)
{
    Reader r = *reader; /* in registers */
    const int32_t value = (int32_t)((uint32_t)*b->value + (uint32_t)difference(&r, b->dc));
    *b->value = value;
    b->odd |= ((uint32_t)value + 1024) >> 11;
    pass_over(&r, b->ac);
    *reader = r;
}

static void direct(Reader *r, Block *b)
{
    take(r, b->refines ? 1 : symbol(r, b->dc) & 15);
}

static void first_of_band(Reader *r, Block *b)
{
    if (b->run) {
        b->run--;
        return;
    }
    for (int k = b->first; k <= b->last && !r->fault; k++) {
        const int rs = symbol(r, b->ac), size = rs & 15, zeros = rs >> 4;
        if (!size && zeros < 15) {
            b->run = (1u << zeros) + take(r, zeros) - 1;
            return;
        }
        k += zeros;
        take(r, size);
        if (!size) continue;
        if (k < COEFFICIENTS)
            *b->known |= 1ull << k;
        else
            r->fault = DAMAGED;
    }
}

static void next_of_band(Reader *r, Block *b)
{
    int k = b->first;
    for (; !b->run && k <= b->last && !r->fault; k++) {
        const int rs = symbol(r, b->ac), size = rs & 15;
        int zeros = rs >> 4;
        if (!size && zeros < 15) {
            b->run = (1u << zeros) + take(r, zeros);
            break;
        }
        if (size > 1 && !r->fault) r->fault = DAMAGED;
        take(r, size ? 1 : 0);
        for (; k <= b->last; k++) {
            if (*b->known >> k & 1)
                take(r, 1);
            else if (--zeros < 0)
                break;
        }
        if (size && k < COEFFICIENTS) *b->known |= 1ull << k;
    }
    if (!b->run) return;
    for (; k <= b->last; k++)
        if (*b->known >> k & 1) take(r, 1);
    b->run--;
}

/* The next marker, from inside coded data; how many bytes lie before it that nobody wants. */
static const uint8_t *next_marker(const uint8_t *at, const uint8_t *end, Py_ssize_t *unwanted)
{
    for (; at < end; at++) {
        if (*at == 0xff) {
            const uint8_t *p = at + 1;
            while (p < end && *p == 0xff) p++;
            if (p < end && *p) return p - 1;
            if (p == end) return end;
            *unwanted += p - at;
            at = p;
        }
        ++*unwanted;
    }
    return end;
}

/* A scan on the way. */
typedef struct {
    Py_ssize_t units, restart, across; /* across: units in a row, or 0 where no marks are wanted */
    const uint8_t *blocks, *parts;     /* of a unit: tables, DC << 4 | AC; components */
    Py_ssize_t n_blocks;
    const Table *tables;
    int progressive;
    Block block;
    Py_ssize_t unit, unwanted; /* reached; bytes before markers */
    Mark *marks;
    size_t n_marks, room;
    int32_t dc[MOST_PARTS];
} Scan;

/* Note where a piece may begin; without memory for it there are no marks. */
static void note(Scan *s, int64_t before, int64_t at, int restart)
{
    if (s->n_marks == s->room) {
        const size_t room = s->room ? 2 * s->room : 256;
        Mark *more = realloc(s->marks, room * sizeof *more);
        if (!more) {
            s->across = 0;
            return;
        }
        s->marks = more, s->room = room;
    }
    Mark *mark = s->marks + s->n_marks++;
    *mark = (Mark){.unit = s->unit, .before = before, .at = at, .restart = restart};
    memcpy(mark->dc, s->dc, sizeof mark->dc);
}

/* Whole bytes that were read and not used. */
static Py_ssize_t bytes_ahead(const Reader *r, const uint8_t *start)
{
    return r->at - step_back(r, start, r->have / 8);
}

/* Over a restart marker; 0 if it is not there (T.81, F.2.2.4). */
static int pass_restart(Scan *s, Reader *r, const uint8_t *start)
{
    const int64_t before = place(r, start);
    s->unwanted += bytes_ahead(r, start);
    const uint8_t *p = next_marker(r->at, r->end, &s->unwanted);
    r->at = p, r->bits = 0, r->have = 0, s->block.run = 0;
    if (r->end - p < 2 || p[1] != 0xd0 + (s->unit / s->restart - 1) % 8) {
        r->fault = NO_RESTART;
        return 0;
    }
    r->at = p + 2;
    if (s->across) note(s, before, 8 * (int64_t)(r->at - start), 1);
    memset(s->dc, 0, sizeof s->dc);
    return 1;
}

/* From the first unit to the last, or to what is wrong. Returns where the scan ends. */
static Py_ssize_t follow(Scan *s, Reader *r, const uint8_t *start)
{
    Block *b = &s->block;
    const int spectral = s->progressive && b->first > 0;
    void (*next)(Reader *, Block *) = !s->progressive ? sequential
                                      : !spectral     ? direct
                                      : b->refines    ? next_of_band
                                                      : first_of_band;
    for (; s->unit < s->units; s->unit++) {
        if (s->restart && s->unit && s->unit % s->restart == 0) {
            if (!pass_restart(s, r, start)) break;
        } else if (s->across && s->unit % s->across == 0) {
            const int64_t at = place(r, start);
            note(s, at, at, 0);
        }
        for (Py_ssize_t i = 0; i < s->n_blocks && !r->fault; i++) {
            b->dc = s->tables + (s->blocks[i] >> 4), b->ac = s->tables + 4 + (s->blocks[i] & 15);
            b->value = s->dc + (s->across ? s->parts[i] : 0);
            next(r, b);
        }
        if (r->fault) break;
        if (spectral) b->known++;
    }
    if (s->across && !r->fault) {
        const int64_t at = place(r, start);
        note(s, at, at, 0);
    }
    if (!r->fault) s->unwanted += bytes_ahead(r, start);
    /* To the end of the scan, over what is left of it. */
    const uint8_t *p = r->at;
    Py_ssize_t ignored = 0;
    while ((p = next_marker(p, r->end, r->fault ? &ignored : &s->unwanted)) + 1 < r->end &&
           p[1] >= 0xd0 && p[1] < 0xd8 && r->fault)
        p += 2;
    return p - start;
}

/* Whether it says what can be: then the tables are made. */
static int is_sound(const Scan *s, Py_ssize_t known, Py_ssize_t parts, Table *tables,
                    const Py_buffer *given)
{
    for (int i = 0; i < 8; i++) {
        if (!make_table(tables + i, given[i].buf, given[i].len)) return 0;
        if (i > 3 && !s->progressive) make_many(tables + i);
    }
    const int first = s->block.first, last = s->block.last;
    const int spectral = s->progressive && first > 0;
    if (s->units < 0 || s->restart < 0 || first < 0 || last < first || last >= COEFFICIENTS ||
        s->n_blocks < 1 || s->n_blocks > MOST_BLOCKS || s->across < 0 ||
        (spectral && (s->n_blocks != 1 || known / 8 < s->units)) ||
        (s->across && (s->progressive || parts != s->n_blocks)))
        return 0;
    for (Py_ssize_t i = 0; i < s->n_blocks; i++) {
        const uint8_t block = s->blocks[i];
        if ((block >> 4) > 3 || (block & 15) > 3) return 0;
        if (!spectral && !s->block.refines && !tables[block >> 4].there) return 0;
        if ((spectral || !s->progressive) && !tables[4 + (block & 15)].there) return 0;
        if (s->across && s->parts[i] >= MOST_PARTS) return 0;
    }
    return 1;
}

const char jpeg_scan_doc[] =
    "scan(data, at, units, restart, tables, blocks, first, last, refines, progressive,\n"
    "     known, parts, across) -> (end, fault, unit, unwanted, marks)\n\n"
    "Follow the coded data of a scan that begin at `at`. `tables` has Huffman's tables,\n"
    "first four for DC, then four for AC, each 16 counts and its symbols or empty; `blocks`\n"
    "the tables of every block of a unit, DC << 4 | AC; `restart` units lie between two\n"
    "restart markers, or 0. `known` has 8 bytes for each unit, kept from scan to scan, if\n"
    "it is one of AC alone.\n\n"
    "`end` is the next marker, `fault` 0 or what went wrong first: 1 the data end, 2 they\n"
    "are damaged, 3 a restart marker is not there; `unit` is where, or how many there are;\n"
    "`unwanted` counts bytes before markers. ValueError for tables that are none.\n\n"
    "`marks` is what `band` needs, where `parts` has the component of every block of a\n"
    "unit, and a row has `across` units; None if that is 0, and for data of which libjpeg's two\n"
    "decoders make different pixels, or which hold what no encoder makes.";

PyObject *jpeg_scan(PyObject *self, PyObject *args)
{
    Py_buffer data, blocks, known, parts, given[8];
    Py_ssize_t at, end = 0;
    Scan s = {0};
    (void)self;
    if (!PyArg_ParseTuple(args, "y*nnn(y*y*y*y*y*y*y*y*)y*iiiiw*y*n:scan", &data, &at, &s.units,
                          &s.restart, given, given + 1, given + 2, given + 3, given + 4, given + 5,
                          given + 6, given + 7, &blocks, &s.block.first, &s.block.last,
                          &s.block.refines, &s.progressive, &known, &parts, &s.across))
        return NULL;
    s.blocks = blocks.buf, s.n_blocks = blocks.len, s.parts = parts.buf;
    s.block.known = known.buf;
    Reader r = {0};
    Table *tables = PyMem_Malloc(8 * sizeof *tables);
    const int sound = tables && at >= 0 && at <= data.len &&
                      is_sound(&s, known.len, parts.len, tables, given);
    s.tables = tables;
    if (sound) {
        const uint8_t *start = data.buf;
        r.at = start + at, r.end = start + data.len;
        Py_BEGIN_ALLOW_THREADS
        end = follow(&s, &r, start);
        Py_END_ALLOW_THREADS
    }
    PyMem_Free(tables);
    PyBuffer_Release(&data), PyBuffer_Release(&blocks), PyBuffer_Release(&known);
    PyBuffer_Release(&parts);
    for (int i = 0; i < 8; i++) PyBuffer_Release(given + i);
    PyObject *marks = NULL, *result = NULL;
    if (!tables) return PyErr_NoMemory();
    if (!sound)
        PyErr_SetString(PyExc_ValueError, "no such scan");
    else if (s.across && !r.fault && !r.filled && !s.block.odd)
        marks = PyBytes_FromStringAndSize((const char *)s.marks,
                                          (Py_ssize_t)(s.n_marks * sizeof *s.marks));
    else
        marks = Py_NewRef(Py_None);
    if (marks) result = Py_BuildValue("ninnN", end, r.fault, s.unit, s.unwanted, marks);
    free(s.marks);
    return result;
}
