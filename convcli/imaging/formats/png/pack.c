/* Deflate by Huffman codes alone (RFC 1951), one code for each block.
 *
 * What PNG's row filters leave of a photograph hardly repeats: looking for matches takes ISA-L most
 * of its time, and the few it finds cost more bytes than they save, since they are taken before
 * the code is known. Measured on 24 megapixels: 100 ms where ISA-L's level 1 takes 160 to 320, in
 * 2 to 14 % fewer bytes. Which of the two packs a strip is decided in packing.py.
 *
 * huffman.py does the same with NumPy, to the same bytes. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "rows.h"

enum {
    LITERALS = 256,
    END_OF_BLOCK = 256,
    CODES = 257,
    DISTANCES = 2, /* no match has one, but pkzip and old readers want a complete code */
    LENGTHS = CODES + DISTANCES,
    RUNS = 19,         /* symbols of the code for the lengths: section 3.2.7 */
    LONGEST = 12,      /* bits of a code: four and seven more fit into a word, and readers' tables */
    LONGEST_RUN = 7,   /* bits of a code for the lengths: they are told in three bits */
    BLOCK = 0xffff,    /* bytes, as many as a stored block can have */
    TAIL = 68,         /* last bytes of a block, whose codes are written as they are: 64 bits */
};

/* Bits wait at the upper end of a word, the oldest lowest. */
typedef struct {
    uint8_t *to;
    uint64_t bits;
    unsigned count;
} Writer;

static void write_bytes(Writer *w)
{
    for (; w->count >= 8; w->count -= 8) *w->to++ = (uint8_t)(w->bits >> (64 - w->count));
}

/* At most 48 bits, the lowest first. */
static void put(Writer *w, uint64_t value, unsigned count)
{
    if (!count) return;
    w->bits = w->bits >> count | value << (64 - count);
    w->count += count;
    write_bytes(w);
}

static void align(Writer *w) { put(w, 0, -w->count & 7); }

/* Sorted by their counts, of equal ones the lower symbol first; returns how many there are.
 * By the two digits of a count, of which none is above BLOCK. */
static int sorted_symbols(const uint32_t *counts, int n, uint16_t *order)
{
    uint16_t symbols[CODES], starts[2][257] = {{0}};
    int used = 0;
    for (int s = 0; s < n; s++) {
        if (!counts[s]) continue;
        symbols[used++] = (uint16_t)s;
        starts[0][(counts[s] & 255) + 1]++, starts[1][(counts[s] >> 8) + 1]++;
    }
    for (int k = 0; k < 256; k++)
        for (int digit = 0; digit < 2; digit++)
            starts[digit][k + 1] = (uint16_t)(starts[digit][k + 1] + starts[digit][k]);
    uint16_t half[CODES];
    for (int i = 0; i < used; i++) half[starts[0][counts[symbols[i]] & 255]++] = symbols[i];
    for (int i = 0; i < used; i++) order[starts[1][counts[half[i]] >> 8]++] = half[i];
    return used;
}

/* The lengths of the codes for symbols of these counts, of which two at least are not zero:
 * Huffman's, by two queues (of equal sums the single symbol first). Where some are longer than
 * allowed, they are cut, and as many others made longer as completes the code again, as zlib does. */
static void code_lengths(const uint32_t *counts, int n, int longest, uint8_t *lengths)
{
    uint32_t sums[CODES];
    uint16_t order[CODES], parents[2 * CODES];
    uint8_t depths[2 * CODES];
    const int used = sorted_symbols(counts, n, order);
    memset(lengths, 0, (size_t)n);
    if (used < 2) return;
    for (int made = 0, leaf = 0, inner = 0; made < used - 1; made++) {
        sums[made] = 0;
        for (int k = 0; k < 2; k++) {
            const int take = leaf < used && (inner == made || counts[order[leaf]] <= sums[inner]);
            sums[made] += take ? counts[order[leaf]] : sums[inner];
            parents[take ? leaf++ : used + inner++] = (uint16_t)(used + made);
        }
    }
    int of_length[16] = {0}, excess = -(1 << longest);
    depths[2 * used - 2] = 0;
    for (int node = 2 * used - 3; node >= 0; node--) {
        const int depth = depths[parents[node]] + 1;
        depths[node] = (uint8_t)depth;
        if (node >= used) continue;
        const int length = depth < longest ? depth : longest;
        of_length[length]++, excess += 1 << (longest - length);
    }
    for (; excess > 0; excess--) {
        int length = longest - 1;
        while (!of_length[length]) length--;
        of_length[length]--, of_length[length + 1] += 2, of_length[longest]--;
    }
    for (int at = 0, length = longest; at < used; at++) {
        while (!of_length[length]) length--;
        of_length[length]--, lengths[order[at]] = (uint8_t)length;
    }
}

/* The codes of these lengths, their bits in the order of the stream (section 3.2.2). */
static void make_codes(const uint8_t *lengths, int n, uint16_t *codes)
{
    unsigned of_length[16] = {0}, next[16] = {0};
    for (int s = 0; s < n; s++) of_length[lengths[s]]++;
    of_length[0] = 0;
    for (int length = 1; length < 16; length++)
        next[length] = (next[length - 1] + of_length[length - 1]) << 1;
    for (int s = 0; s < n; s++) {
        unsigned turned = 0;
        for (unsigned code = next[lengths[s]]++, k = lengths[s]; k; k--, code >>= 1)
            turned = turned << 1 | (code & 1);
        codes[s] = (uint16_t)turned;
    }
}

/* Lengths as symbols of the code for them, each with what its extra bits say (section 3.2.7):
 * 17 and 18 for zeros, 16 for the last length again. Returns how many. */
static int runs_of(const uint8_t *lengths, uint8_t *symbols, uint8_t *extra)
{
    int made = 0;
    for (int i = 0, run; i < LENGTHS; i += run) {
        const int zeros = lengths[i] == 0, most = zeros ? 138 : 6;
        const int again = !zeros && i && lengths[i] == lengths[i - 1];
        for (run = 1; i + run < LENGTHS && run < most && lengths[i + run] == lengths[i];) run++;
        if (run < 3 || !(zeros || again)) {
            symbols[made] = lengths[i], extra[made] = 0, run = 1;
        } else if (zeros) {
            symbols[made] = run < 11 ? 17 : 18;
            extra[made] = (uint8_t)(run - (run < 11 ? 3 : 11));
        } else {
            symbols[made] = 16, extra[made] = (uint8_t)(run - 3);
        }
        made++;
    }
    return made;
}

static unsigned extra_bits(int symbol) { return symbol < 16 ? 0 : symbol == 16 ? 2 : symbol == 17 ? 3 : 7; }

/* What stands before the codes of a block, and its code. */
typedef struct {
    uint8_t lengths[LENGTHS], run_lengths[RUNS], symbols[LENGTHS], extra[LENGTHS];
    int made, told; /* runs, and lengths of their code */
    uint64_t bits; /* of the whole block */
    long n;        /* bytes in it */
    int stored;
} Block;

static const uint8_t told_order[RUNS] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

static void plan_block(const uint8_t *from, long n, Block *b)
{
    uint32_t counts[8][CODES] = {{0}}, run_counts[RUNS] = {0}; /* one waits for no other */
    long i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t eight;
        memcpy(&eight, from + i, 8);
        for (int k = 0; k < 8; k++) counts[k][eight >> 8 * k & 255]++;
    }
    for (; i < n; i++) counts[0][from[i]]++;
    for (int k = 1; k < 8; k++)
        for (int s = 0; s < LITERALS; s++) counts[0][s] += counts[k][s];
    counts[0][END_OF_BLOCK] = 1;
    code_lengths(counts[0], CODES, LONGEST, b->lengths);
    memset(b->lengths + CODES, 1, DISTANCES);
    b->made = runs_of(b->lengths, b->symbols, b->extra);
    for (int r = 0; r < b->made; r++) run_counts[b->symbols[r]]++;
    code_lengths(run_counts, RUNS, LONGEST_RUN, b->run_lengths);
    for (b->told = RUNS; !b->run_lengths[told_order[b->told - 1]];) b->told--;
    b->n = n;
    b->bits = 3 + 5 + 5 + 4 + 3 * (uint64_t)b->told;
    for (int s = 0; s < RUNS; s++) b->bits += run_counts[s] * (b->run_lengths[s] + extra_bits(s));
    for (int s = 0; s < CODES; s++) b->bits += (uint64_t)counts[0][s] * b->lengths[s];
}

static void write_head(Writer *w, const Block *b, unsigned last)
{
    uint16_t codes[RUNS];
    put(w, last | 2 << 1 | (DISTANCES - 1) << 8 | (uint64_t)(b->told - 4) << 13, 17);
    for (int k = 0; k < b->told; k++) put(w, b->run_lengths[told_order[k]], 3);
    make_codes(b->run_lengths, RUNS, codes);
    for (int r = 0; r < b->made; r++) {
        const int symbol = b->symbols[r];
        put(w, codes[symbol], b->run_lengths[symbol]);
        put(w, b->extra[r], extra_bits(symbol));
    }
}

/* A code at the upper end of a word, where the next bits go, and its length at the lower: a shift
 * by the word is one by the length, and what it leaves of old lengths is below the bits that
 * count, of which there are 55 at most. */
#define THEN(first, second) ((first) >> ((second) & 63) | (second))

static void write_codes(Writer *w, const Block *b, const uint8_t *from, long n)
{
    uint16_t codes[CODES];
    uint64_t words[CODES];
    make_codes(b->lengths, CODES, codes);
    for (int s = 0; s < CODES; s++)
        words[s] = b->lengths[s] ? (uint64_t)codes[s] << (64 - b->lengths[s]) | b->lengths[s] : 0;
    uint8_t *to = w->to;
    uint64_t bits = w->bits;
    unsigned count = w->count;
    long i = 0;
    for (; i + TAIL <= n; i += 4) { /* eight bytes at once, of which some are no codes yet */
        const uint64_t p = words[from[i]], q = words[from[i + 1]];
        const uint64_t r = words[from[i + 2]], s = words[from[i + 3]];
        const unsigned later = (unsigned)r + (unsigned)s;
        const unsigned all = (unsigned)p + (unsigned)q + later;
        bits = bits >> all | THEN(p, q) >> later | THEN(r, s);
        count += all;
        const uint64_t out = bits >> (64 - count);
        for (int k = 0; k < 8; k++) to[k] = (uint8_t)(out >> 8 * k);
        to += count >> 3, count &= 7;
    }
    w->to = to, w->bits = bits, w->count = count;
    for (; i <= n; i++) {
        const int symbol = i < n ? from[i] : END_OF_BLOCK;
        put(w, codes[symbol], b->lengths[symbol]);
    }
}

static void write_stored(Writer *w, const uint8_t *from, long n, unsigned last)
{
    put(w, last, 3);
    align(w);
    put(w, (uint64_t)n | (uint64_t)(n ^ 0xffff) << 16, 32);
    memcpy(w->to, from, (size_t)n);
    w->to += n;
}

/* The blocks of `n` bytes, and how many bytes they take. Unless they are the last, an empty block
 * follows, so that the next begins with a byte. */
static uint64_t plan_all(const uint8_t *from, Py_ssize_t n, int last, Block *b)
{
    uint64_t bits = 0;
    for (; n > 0; n -= b->n, from += b->n, b++) {
        plan_block(from, n < BLOCK ? (long)n : BLOCK, b);
        const uint64_t head = 3 + (-(bits + 3) & 7) + 32, stored = head + 8 * (uint64_t)b->n;
        b->stored = b->bits >= stored;
        bits += b->stored ? stored : b->bits;
    }
    return last ? (bits + 7) >> 3 : ((bits + 3 + 7) >> 3) + 4;
}

static void write_all(const uint8_t *from, Py_ssize_t n, int last, const Block *b, uint8_t *out)
{
    Writer w = {out, 0, 0};
    for (; n > 0; n -= b->n, from += b->n, b++) {
        const unsigned ends = last && b->n == n;
        if (b->stored) {
            write_stored(&w, from, b->n, ends);
        } else {
            write_head(&w, b, ends);
            write_codes(&w, b, from, b->n);
        }
    }
    if (last)
        align(&w);
    else
        write_stored(&w, from, 0, 0);
}

const char png_pack_doc[] =
    "pack(raw, last) -> bytes\n\n"
    "Deflate by Huffman codes alone, as the last bytes of a stream, or up to a full flush.";

PyObject *png_pack(PyObject *self, PyObject *args)
{
    Py_buffer raw;
    int last;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*p:pack", &raw, &last)) return NULL;
    const Py_ssize_t count = raw.len / BLOCK + 1;
    Block *blocks = PyMem_Malloc((size_t)count * sizeof *blocks);
    PyObject *packed = NULL;
    if (raw.len < 1) {
        PyErr_SetString(PyExc_ValueError, "there is nothing to pack");
    } else if (!blocks) {
        PyErr_NoMemory();
    } else {
        uint64_t size;
        Py_BEGIN_ALLOW_THREADS
        size = plan_all(raw.buf, raw.len, last, blocks);
        Py_END_ALLOW_THREADS
        packed = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    }
    if (packed) {
        uint8_t *out = (uint8_t *)PyBytes_AsString(packed);
        Py_BEGIN_ALLOW_THREADS
        write_all(raw.buf, raw.len, last, blocks, out);
        Py_END_ALLOW_THREADS
    }
    PyMem_Free(blocks);
    PyBuffer_Release(&raw);
    return packed;
}
