/* The bodies of a PNG's IDAT chunks, checked and put together as the file comes.
 *
 * Why: libpng's default is a chunk for every 8 KB, 15,000 of them in a photograph of 24 megapixels
 * at 16 bits. Walking them in Python took longer than inflating them, and held the interpreter's
 * lock, for which the rest of the program was waiting. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "rows.h"

/* CRC-32 as PNG has it (section 5.5), sixteen bytes at a time. Source: M. E. Kounavis and
 * F. L. Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC Generation", 2008. */
static uint32_t table[16][256];

void png_make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        table[0][i] = c;
    }
    for (int t = 1; t < 16; t++)
        for (int i = 0; i < 256; i++)
            table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
}

static inline uint32_t four(int t, const uint8_t *p)
{
    return table[t][p[0]] ^ table[t - 1][p[1]] ^ table[t - 2][p[2]] ^ table[t - 3][p[3]];
}

static uint32_t crc32(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (; n >= 16; n -= 16, p += 16) {
        const uint8_t first[4] = {
            (uint8_t)(p[0] ^ crc), (uint8_t)(p[1] ^ crc >> 8),
            (uint8_t)(p[2] ^ crc >> 16), (uint8_t)(p[3] ^ crc >> 24),
        };
        crc = four(15, first) ^ four(11, p + 4) ^ four(7, p + 8) ^ four(3, p + 12);
    }
    for (; n; n--, p++) crc = table[0][(crc ^ *p) & 255] ^ crc >> 8;
    return ~crc;
}

static inline uint32_t big(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

const char png_gather_doc[] =
    "gather(data, left, crc, out) -> (used, made, left, crc)\n\n"
    "Copy the bodies of chunks IDAT one after the other. `data` starts in the body of one, of\n"
    "which `left` bytes are to come and whose type and body up to here have the checksum `crc`.\n"
    "Stops where `data` or `out` is used up, and with `left` -1 after a chunk that no IDAT\n"
    "follows. ValueError if a checksum is wrong.";

PyObject *png_gather(PyObject *self, PyObject *args)
{
    Py_buffer data, out;
    Py_ssize_t left;
    unsigned int crc;
    int wrong = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*nIw*:gather", &data, &left, &crc, &out)) return NULL;
    const uint8_t *at = data.buf, *end = at + data.len;
    uint8_t *to = out.buf, *full = to + out.len;
    Py_BEGIN_ALLOW_THREADS
    while (left >= 0) {
        Py_ssize_t n = left < end - at ? left : end - at;
        if (n > full - to) n = full - to;
        crc = crc32(crc, at, (size_t)n);
        memcpy(to, at, (size_t)n);
        at += n, to += n, left -= n;
        /* The checksum and, to see whether it is an IDAT, the length and type of the next. */
        if (left || end - at < 12) break;
        wrong = big(at) != crc;
        if (wrong) break;
        if (memcmp(at + 8, "IDAT", 4)) {
            at += 4, left = -1;
        } else {
            wrong = at[4] > 127; /* the specification's limit, and a 32-bit machine's */
            if (wrong) break;
            left = (Py_ssize_t)big(at + 4);
            crc = crc32(0, at + 8, 4);
            at += 12;
        }
    }
    Py_END_ALLOW_THREADS
    const Py_ssize_t used = at - (const uint8_t *)data.buf, made = to - (uint8_t *)out.buf;
    PyBuffer_Release(&data), PyBuffer_Release(&out);
    if (wrong) {
        PyErr_SetString(PyExc_ValueError, "a chunk IDAT is damaged");
        return NULL;
    }
    return Py_BuildValue("nnnI", used, made, left, crc);
}
