/* What depends on the type of the keys, for one instruction set. Included by isa.h with KEY, its
 * number of BITS, and K(name). */

typedef KEY K(vec) __attribute__((vector_size(VBYTES), aligned(1), may_alias));
#define LANES ((long)(VBYTES / sizeof(KEY)))
#define LEAST ((KEY)((uint64_t)1 << (BITS - 1)))
#define MOST ((KEY)(((uint64_t)1 << (BITS - 1)) - 1))
#define BLOCK (4 * LANES)

/* The value of a rank under each of `BLOCK` windows, bit by bit from the highest: a bit is set if
 * no more values than the rank lie below what it makes. `rank` is that of each window. */
static void K(by_bits)(const KEY *base, const long *offsets, long cells, const KEY *rank,
                       K(vec) *result)
{
    K(vec) found[4], below[4], trial[4];
    for (int v = 0; v < 4; v++) found[v] = (K(vec)){0} + LEAST;
    for (int bit = BITS - 1; bit >= 0; bit--) {
        const KEY flip = (KEY)((uint64_t)1 << bit);
        for (int v = 0; v < 4; v++) {
            below[v] = *(const K(vec) *)(rank + v * LANES);
            trial[v] = found[v] ^ flip;
        }
        for (long t = 0; t < cells; t++) {
            const KEY *at = base + offsets[t];
            for (int v = 0; v < 4; v++)
                below[v] += (K(vec))(*(const K(vec) *)(at + v * LANES) < trial[v]);
        }
        for (int v = 0; v < 4; v++) found[v] ^= (K(vec))(below[v] >= 0) & flip;
    }
    for (int v = 0; v < 4; v++) result[v] = found[v];
}

/* The same where there are more cells than a key can count. */
static void K(by_bits_many)(const KEY *base, const long *offsets, long cells, const int32_t *rank,
                            KEY *found)
{
    KEY trial[BLOCK];
    int32_t below[BLOCK];
    for (long i = 0; i < BLOCK; i++) found[i] = LEAST;
    for (int bit = BITS - 1; bit >= 0; bit--) {
        const KEY flip = (KEY)((uint64_t)1 << bit);
        for (long i = 0; i < BLOCK; i++) trial[i] = found[i] ^ flip, below[i] = 0;
        for (long first = 0; first < cells;) {
            const long last = BITS < 32 && cells - first > MOST ? first + MOST : cells;
            K(vec) some[4] = {{0}};
            for (; first < last; first++)
                for (int v = 0; v < 4; v++)
                    some[v] -= (K(vec))(*(const K(vec) *)(base + offsets[first] + v * LANES) <
                                        *(const K(vec) *)(trial + v * LANES));
            const KEY *counted = (const KEY *)some;
            for (long i = 0; i < BLOCK; i++) below[i] += (int32_t)counted[i];
        }
        for (long i = 0; i < BLOCK; i++) found[i] ^= below[i] <= rank[i] ? flip : 0;
    }
}

/* One row of results, any footprint: of `counted` ones each window takes its own rank. */
static void K(select)(const Job *j, const KEY *base, int counted, KEY *line)
{
    const long cells = (long)j->p.cells;
    const int narrow = BITS < 32 && cells > MOST;
    KEY rank[BLOCK];
    int32_t ranks[BLOCK];
    for (long i = 0; i < BLOCK; i++) ranks[i] = (int32_t)j->p.rank;
    for (long x = 0; x < j->samples; x += BLOCK) {
        if (counted) {
            memset(ranks, 0, sizeof ranks);
            for (long t = 0; t < cells; t++)
                for (long i = 0; i < BLOCK; i++) ranks[i] += base[x + j->offsets[t] + i] != MOST;
            for (long i = 0; i < BLOCK; i++) ranks[i] = j->order[ranks[i]];
        }
        if (narrow) {
            K(by_bits_many)(base + x, j->offsets, cells, ranks, line + x);
            continue;
        }
        for (long i = 0; i < BLOCK; i++) rank[i] = (KEY)ranks[i];
        K(by_bits)(base + x, j->offsets, cells, rank, (K(vec) *)(line + x));
    }
}

#include "network.h"
#include "small_medians.h"
#include "slide.h"

static int K(tile)(Job *j)
{
    if (j->p.way == 'n' && !j->has_nan) return K(by_network)(j);
    if (j->p.way == 'w') return K(by_sliding)(j);
    const long rows = j->bottom - j->top;
    for (long r = 0; r < rows; r++) {
        const KEY *base = (const KEY *)j->keys + r * (long)j->p.row_stride * j->pitch;
        K(select)(j, base, j->has_nan, (KEY *)j->line);
        ISA(store)(j, j->top + r, 0, j->samples, j->line);
    }
    return 1;
}

#undef LANES
#undef LEAST
#undef MOST
#undef BLOCK
#undef KEY
#undef UKEY
#undef BITS
#undef K
