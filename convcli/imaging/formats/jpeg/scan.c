/* Whether the coded data of a JPEG scan are whole: Huffman's codes are followed to the end, and no
 * pixel is made.
 *
 * Why: libjpeg fills in gray where data lack, and warns of it in a counter that neither Pillow nor
 * imagecodecs shows. Source: ITU-T T.81, sections F.2.2 and G.2; where data are damaged, jdhuff.c
 * and jdphuff.c of libjpeg decide what the next bit means. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "png/rows.h"

enum { WHOLE, ENDED, DAMAGED, NO_RESTART };
enum { FAST = 9, LONGEST = 16, COEFFICIENTS = 64, MOST_BLOCKS = 10 };

typedef struct {
    uint16_t fast[1 << FAST]; /* length << 8 | symbol, or 0 */
    int32_t last[LONGEST + 1], shift[LONGEST + 1];
    uint8_t symbols[256];
    int there;
} Table;

/* Codes in order of their length (T.81, annex C). Returns whether they are a code at all. */
static int make_table(Table *t, const uint8_t *from, Py_ssize_t n)
{
    memset(t, 0, sizeof *t);
    if (n < LONGEST || n > LONGEST + 256) return n == 0;
    memcpy(t->symbols, from + LONGEST, (size_t)(n - LONGEST));
    int32_t code = 0, k = 0;
    for (int length = 1; length <= LONGEST; length++) {
        t->shift[length] = k - code;
        for (int i = 0; i < from[length - 1]; i++, code++, k++) {
            if (k >= n - LONGEST || code >= 1 << length) return 0;
            if (length <= FAST)
                for (int j = 0; j < 1 << (FAST - length); j++)
                    t->fast[code << (FAST - length) | j] = (uint16_t)(length << 8 | t->symbols[k]);
        }
        t->last[length] = code - 1;
        code <<= 1;
    }
    return t->there = 1;
}

/* Bits from the left; zeros follow the last. */
typedef struct {
    const uint8_t *at, *end;
    uint64_t bits;
    int have, fault;
} Reader;

static inline void fill(Reader *r)
{
    while (r->have <= 56 && r->at < r->end) {
        uint8_t byte = *r->at;
        if (byte == 0xff) { /* a zero follows, after any number of 0xff; or this is a marker */
            const uint8_t *p = r->at + 1;
            while (p < r->end && *p == 0xff) p++;
            if (p == r->end || *p) return;
            r->at = p;
        }
        r->at++;
        r->bits |= (uint64_t)byte << (56 - r->have);
        r->have += 8;
    }
}

static inline uint32_t take(Reader *r, int n)
{
    if (n == 0) return 0;
    if (r->have < n) fill(r);
    if (r->have < n) {
        if (!r->fault) r->fault = ENDED;
        return 0;
    }
    const uint32_t value = (uint32_t)(r->bits >> (64 - n));
    r->bits <<= n, r->have -= n;
    return value;
}

static inline int symbol(Reader *r, const Table *t)
{
    if (r->have < LONGEST) fill(r);
    const uint16_t found = t->fast[r->bits >> (64 - FAST)];
    if (found) {
        take(r, found >> 8);
        return found & 255;
    }
    for (int length = FAST + 1; length <= LONGEST; length++) {
        const int32_t code = (int32_t)(r->bits >> (64 - length));
        if (code <= t->last[length]) {
            take(r, length);
            return t->symbols[(code + t->shift[length]) & 255];
        }
    }
    if (!r->fault) r->fault = r->have < LONGEST ? ENDED : DAMAGED;
    return 0;
}

/* What a block needs to know beside the bits. */
typedef struct {
    const Table *dc, *ac;
    int first, last, refines; /* of the spectral band; whether a scan of these went before */
    uint32_t run;             /* blocks without further coefficients */
    uint64_t *known;          /* coefficients other than 0, a bit each */
} Block;

static void sequential(Reader *r, Block *b)
{
    take(r, symbol(r, b->dc) & 15);
    for (int k = 1; k < COEFFICIENTS && !r->fault; k++) {
        const int rs = symbol(r, b->ac), size = rs & 15;
        if (!size && rs != 0xf0) return;
        k += rs >> 4;
        if (size && k >= COEFFICIENTS) r->fault = DAMAGED;
        take(r, size);
    }
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

const char jpeg_scan_doc[] =
    "scan(data, at, units, restart, tables, blocks, first, last, refines, progressive,\n"
    "     known) -> (end, fault, unit, unwanted)\n\n"
    "Follow the coded data of a scan that begin at `at`. `tables` has Huffman's tables,\n"
    "first four for DC, then four for AC, each 16 counts and its symbols or empty; `blocks`\n"
    "the tables of every block of a unit, DC << 4 | AC; `restart` units lie between two\n"
    "restart markers, or 0. `known` has 8 bytes for each unit, kept from scan to scan, if\n"
    "it is one of AC alone.\n\n"
    "`end` is the next marker, `fault` 0 or what went wrong first: 1 the data end, 2 they\n"
    "are damaged, 3 a restart marker is not there; `unit` is where, or how many there are;\n"
    "`unwanted` counts bytes before markers. ValueError for tables that are none.";

PyObject *jpeg_scan(PyObject *self, PyObject *args)
{
    Py_buffer data, blocks, known, given[8];
    Py_ssize_t at, units, restart, unit = 0, unwanted = 0, end = 0;
    int first, last, refines, progressive, bad = 0, fault = WHOLE;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*nnn(y*y*y*y*y*y*y*y*)y*iiiiw*:scan", &data, &at, &units, &restart,
                          given, given + 1, given + 2, given + 3, given + 4, given + 5, given + 6,
                          given + 7, &blocks, &first, &last, &refines, &progressive, &known))
        return NULL;
    Table *tables = PyMem_Malloc(8 * sizeof *tables);
    if (tables) {
        for (int i = 0; i < 8; i++) bad |= !make_table(tables + i, given[i].buf, given[i].len);
        const int spectral = progressive && first > 0;
        bad |= at < 0 || at > data.len || units < 0 || restart < 0 || first < 0 || last < first ||
               last >= COEFFICIENTS || blocks.len < 1 || blocks.len > MOST_BLOCKS ||
               (spectral && (blocks.len != 1 || known.len / 8 < units));
        for (Py_ssize_t i = 0; i < blocks.len && !bad; i++) {
            const uint8_t block = ((const uint8_t *)blocks.buf)[i];
            bad |= (block >> 4) > 3 || (block & 15) > 3;
            if (bad) break;
            bad |= !spectral && !refines && !tables[block >> 4].there;
            bad |= (spectral || !progressive) && !tables[4 + (block & 15)].there;
        }
        if (!bad) {
            const uint8_t *start = data.buf;
            Reader r = {start + at, start + data.len, 0, 0, 0};
            Block b = {NULL, NULL, first, last, refines, 0, known.buf};
            void (*next)(Reader *, Block *) = !progressive ? sequential
                                              : !spectral  ? direct
                                              : refines    ? next_of_band
                                                           : first_of_band;
            int turn = 0;
            Py_BEGIN_ALLOW_THREADS
            for (; unit < units; unit++) {
                if (restart && unit && unit % restart == 0) {
                    unwanted += r.have / 8;
                    const uint8_t *p = next_marker(r.at, r.end, &unwanted);
                    r.at = p, r.bits = 0, r.have = 0, b.run = 0;
                    if (r.end - p < 2 || p[1] != 0xd0 + turn) {
                        r.fault = NO_RESTART;
                        break;
                    }
                    r.at = p + 2, turn = (turn + 1) % 8;
                }
                for (Py_ssize_t i = 0; i < blocks.len && !r.fault; i++) {
                    const uint8_t block = ((const uint8_t *)blocks.buf)[i];
                    b.dc = tables + (block >> 4), b.ac = tables + 4 + (block & 15);
                    next(&r, &b);
                }
                if (r.fault) break;
                if (spectral) b.known++;
            }
            fault = r.fault;
            if (!fault) unwanted += r.have / 8;
            /* To the end of the scan, over what is left of it. */
            const uint8_t *p = r.at;
            Py_ssize_t ignored = 0;
            while ((p = next_marker(p, r.end, fault ? &ignored : &unwanted)) + 1 < r.end &&
                   p[1] >= 0xd0 && p[1] < 0xd8 && fault)
                p += 2;
            end = p - start;
            Py_END_ALLOW_THREADS
        }
        PyMem_Free(tables);
    }
    PyBuffer_Release(&data), PyBuffer_Release(&blocks), PyBuffer_Release(&known);
    for (int i = 0; i < 8; i++) PyBuffer_Release(given + i);
    if (!tables) return PyErr_NoMemory();
    if (bad) {
        PyErr_SetString(PyExc_ValueError, "no such scan");
        return NULL;
    }
    return Py_BuildValue("ninn", end, fault, unit, unwanted);
}
