/* Huffman's codes of a JPEG, read bit by bit. Source: ITU-T T.81, annex C and section F.2.2. */

#ifndef CONVCLI_JPEG_HUFFMAN_H
#define CONVCLI_JPEG_HUFFMAN_H

#include <stdint.h>
#include <string.h>

enum { WHOLE, ENDED, DAMAGED, NO_RESTART };
enum { FAST = 12, LONGEST = 16, COEFFICIENTS = 64, MOST_BLOCKS = 10, MOST_PARTS = 4 };
enum { REACH = FAST + 15 }; /* bits that an entry of `many` is about, at most */

typedef struct {
    uint32_t fast[1 << FAST]; /* symbol << 16 | its length << 8 | that and the bits behind, or 0 */
    /* Of AC, after make_many: all the coefficients whose codes these bits hold: whether they end the
     * block << 16 | how many they and the zeros before are << 8 | their bits; or 0 */
    uint32_t many[1 << FAST];
    int32_t last[LONGEST + 1], shift[LONGEST + 1];
    uint8_t symbols[256];
    int there;
} Table;

/* Follow each possible beginning to the last code that lies in it. */
static inline void make_many(Table *t)
{
    for (uint32_t start = 0; start < 1 << FAST; start++) {
        int bits = 0, cells = 0, ended = 0;
        while (bits < FAST && !ended) {
            const uint32_t found = t->fast[start << bits & ((1 << FAST) - 1)];
            if (!found || bits + (int)(found >> 8 & 255) > FAST) break;
            const int rs = (int)(found >> 16);
            bits += (int)(found & 255);
            ended = !(rs & 15) && rs != 0xf0;
            cells += ended ? 0 : (rs >> 4) + 1;
        }
        t->many[start] = (uint32_t)(ended << 16 | cells << 8 | bits);
    }
}

/* Codes in order of their length (T.81, annex C). Returns whether they are a code at all. */
static inline int make_table(Table *t, const uint8_t *from, Py_ssize_t n)
{
    memset(t, 0, sizeof *t);
    if (n < LONGEST || n > LONGEST + 256) return n == 0;
    memcpy(t->symbols, from + LONGEST, (size_t)(n - LONGEST));
    int32_t code = 0, k = 0;
    for (int length = 1; length <= LONGEST; length++) {
        t->shift[length] = k - code;
        for (int i = 0; i < from[length - 1]; i++, code++, k++) {
            if (k >= n - LONGEST || code >= 1 << length) return 0;
            const uint32_t found = t->symbols[k], bits = (uint32_t)length;
            for (int j = 0; length <= FAST && j < 1 << (FAST - length); j++)
                t->fast[code << (FAST - length) | j] = found << 16 | bits << 8 | (bits + (found & 15));
        }
        t->last[length] = code - 1;
        code <<= 1;
    }
    return t->there = 1;
}

/* Bits from the left. Behind the `have` that count stand the next ones, as far as they were met, or
 * zeros. */
typedef struct {
    const uint8_t *at, *end;
    uint64_t bits;
    int have, fault, filled; /* filled: a stuffed zero stands behind more than one 0xff */
} Reader;

static inline void fill(Reader *r)
{
    if (r->end - r->at >= 8) {
        uint64_t next = 0;
        for (int i = 0; i < 8; i++) next = next << 8 | r->at[i];
        if (!((next & 0x8080808080808080) & (~next - 0x0101010101010101))) { /* no 0xff */
            const int bytes = (64 - r->have) >> 3;
            if (r->have < 64) r->bits |= next >> r->have;
            r->at += bytes, r->have += 8 * bytes;
            return;
        }
    }
    while (r->have <= 56 && r->at < r->end) {
        uint8_t byte = *r->at;
        if (byte == 0xff) { /* a zero follows, after any number of 0xff; or this is a marker */
            const uint8_t *p = r->at + 1;
            while (p < r->end && *p == 0xff) p++;
            if (p == r->end || *p) return;
            r->filled |= p - r->at > 1;
            r->at = p;
        }
        r->at++;
        r->bits |= (uint64_t)byte << (56 - r->have);
        r->have += 8;
    }
}

static inline void skip(Reader *r, int n)
{
    r->bits <<= n, r->have -= n;
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
    skip(r, n);
    return value;
}

static inline int symbol(Reader *r, const Table *t)
{
    if (r->have < LONGEST) fill(r);
    const uint32_t found = t->fast[r->bits >> (64 - FAST)];
    if (found) {
        take(r, found >> 8 & 255);
        return (int)(found >> 16);
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

/* The difference of a DC coefficient from the one before (T.81, F.2.2.1, figure F.12). */
static inline int32_t difference(Reader *r, const Table *dc)
{
    const int size = symbol(r, dc) & 15;
    const int32_t value = (int32_t)take(r, size);
    return size && value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
}

/* Pass over an AC coefficient and the zeros before it; returns its place, or the last where none
 * follow in the block (T.81, F.2.2.2, figure F.13). */
static inline int pass_one(Reader *r, const Table *ac, int k)
{
    const uint32_t found = ac->fast[r->bits >> (64 - FAST)];
    int rs = (int)(found >> 16);
    if (found && r->have >= LONGEST + 15) {
        skip(r, found & 255);
    } else {
        rs = symbol(r, ac);
        if ((rs & 15) && k + (rs >> 4) >= COEFFICIENTS && !r->fault) r->fault = DAMAGED;
        take(r, rs & 15);
    }
    if (!(rs & 15)) return rs == 0xf0 ? k + 15 : COEFFICIENTS;
    k += rs >> 4;
    if (k >= COEFFICIENTS) r->fault = DAMAGED;
    return k;
}

/* Pass over all the coefficients of a block but the first. */
static inline void pass_over(Reader *r, const Table *ac)
{
    int k = 1;
    while (k < COEFFICIENTS && !r->fault) {
        if (r->have < 2 * REACH) fill(r);
        for (int twice = 0; twice < 2 && r->have >= REACH; twice++) {
            const uint32_t found = ac->many[r->bits >> (64 - FAST)], ends = found >> 16;
            const int next = k + (int)(found >> 8 & 255);
            if (!found || next + (int)ends > COEFFICIENTS) break; /* or some are of the next block */
            skip(r, (int)(found & 255)), k = next;
            if (ends || k == COEFFICIENTS) return;
        }
        k = pass_one(r, ac, k) + 1;
    }
}

/* Where the last data bytes that were read begin. */
static inline const uint8_t *step_back(const Reader *r, const uint8_t *start, int bytes)
{
    const uint8_t *p = r->at;
    for (; bytes > 0 && p > start; bytes--) {
        p--;
        while (p > start && p[-1] == 0xff) p--; /* this one is the zero behind them */
    }
    return p;
}

/* Where the next bit stands, in bits from `start`; a zero that is stuffed counts as 8. */
static inline int64_t place(const Reader *r, const uint8_t *start)
{
    return 8 * (int64_t)(step_back(r, start, (r->have + 7) / 8) - start) + (-r->have & 7);
}

/* Read from a place on, which lies in the data. */
static inline Reader reader_at(const uint8_t *start, Py_ssize_t size, int64_t at)
{
    Reader r = {.at = start + at / 8, .end = start + size};
    take(&r, (int)(at % 8));
    return r;
}

/* A place in coded data where a new piece may begin: at each row of units, and behind each restart
 * marker. */
typedef struct {
    int64_t unit, before, at; /* the first of the piece; where the one before ends; where it begins */
    int32_t dc[MOST_PARTS];   /* of each component, the last DC coefficient before */
    int32_t restart, unused;  /* whether it is coded as if those were 0 */
} Mark;

#endif
