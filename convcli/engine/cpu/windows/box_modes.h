/* The most frequent byte under a box: a histogram of every column, which moves down, and of the window,
 * which moves along the columns and is searched after each. No step depends on the size of the box.
 * Included by isa.h with COUNT, which holds the number of cells, WIDE(bytes), signed ones as counts,
 * MOST(a, b) of two vectors, TOP(v) of the lanes of one, and V(name).
 *
 * Source: S. Perreault and P. Hebert, Median filtering in constant time (2007), for the histograms. */

typedef COUNT V(vec) __attribute__((vector_size(VBYTES), aligned(1), may_alias));
typedef int8_t V(bytes) __attribute__((vector_size(VBYTES / sizeof(COUNT)), aligned(1), may_alias));
#define LANES ((long)(VBYTES / sizeof(COUNT)))
#define PIECES (256 / LANES)

/* One row of results from the columns' histograms. */
static void V(along)(const uint8_t *columns, long wide, long count, uint8_t *to, long group)
{
    static const uint8_t none[256];
    COUNT turned[256];
    V(vec) window[PIECES] = {};
    for (int v = 0; v < 256; v++) turned[v] = (COUNT)(255 - v);
    for (long x = 0; x < wide - 1; x++)
        for (long p = 0; p < PIECES; p++) {
            const V(bytes) more = *(const V(bytes) *)(columns + 256 * x + p * LANES);
            window[p] += WIDE(more);
        }
    const uint8_t *old = none, *new = columns + 256 * (wide - 1);
    for (long i = 0; i < count; i++) {
        V(vec) top = {}, found = {};
        for (long p = 0; p < PIECES; p++) {
            const V(bytes) more =
                *(const V(bytes) *)(new + p * LANES) - *(const V(bytes) *)(old + p * LANES);
            window[p] += WIDE(more);
            top = MOST(top, window[p]);
        }
        const COUNT most = (COUNT)TOP(top);
        const V(vec) all = (V(vec)){} + most;
        for (long p = 0; p < PIECES; p++) {
            const V(vec) these = (V(vec))(window[p] == all);
            found = MOST(found, these & *(const V(vec) *)(turned + p * LANES));
        }
        to[i * group] = most ? (uint8_t)(255 - TOP(found)) : 255;
        old = columns + 256 * i, new += 256;
    }
}

#undef LANES
#undef PIECES
