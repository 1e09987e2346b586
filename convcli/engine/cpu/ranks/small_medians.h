/* Medians of small squares, two output rows at a time, from the picture's rows to the result's.
 * Short samples become keys in registers; of others, which take more for that and may be NaN, the keys
 * of as many rows are kept as there are under two windows. Included by keyed.h. */

/* Rows of a strip, with room for what is read further along. */
typedef struct {
    const KEY *input[MOST_SIDE + 1];
    KEY *output[2], *slots;
    long pitch, unit, n;
    KEY flip, turn; /* what makes samples of keys: of all, and of the negative ones */
} K(strip_rows);

#if BITS > 16
#define SAMPLE(v) (K(vec))(((v) ^ ((v) >> (BITS - 1) & turn)) ^ flip)
#define KEYED(v) v
#else
#define SAMPLE(v) (K(vec))((v) ^ flip)
#define KEYED(v) SAMPLE(v)
#endif

/* Values that stay in registers, pass by pass over a strip; the last vector may overlap. */
#define P(row) const KEY *const p##row = m->input[row];
#define R(row, shift) \
    const K(vec) r##row##_##shift = KEYED(*(const K(vec) *)(p##row + shift * unit + x));
#define S(slot, shift) \
    const K(vec) s##slot##_##shift = *(const K(vec) *)(slots + slot * pitch + shift * unit + x);
#define W(slot, t) *(K(vec) *)(slots + (slot) * pitch + x) = t;
#define O(row, t) *(K(vec) *)(q##row + x) = SAMPLE(t);
#define L(t, a, b) const K(vec) t = K(smaller)(a, b);
#define H(t, a, b) const K(vec) t = K(larger)(a, b);
#define PASS(side, number, extent, rows, ...)                                           \
    static void K(median_##side##_##number)(const K(strip_rows) *m)                     \
    {                                                                                   \
        const K(vec) flip = (K(vec)){0} + m->flip, turn = (K(vec)){0} + m->turn;        \
        const long unit = m->unit, pitch = m->pitch, last = m->n + (extent) * unit - LANES; \
        KEY *const slots = m->slots, *const q0 = m->output[0], *const q1 = m->output[1]; \
        rows                                                                            \
        (void)flip, (void)turn, (void)slots, (void)pitch, (void)q0, (void)q1;           \
        for (long x = 0;; x = x + LANES < last ? x + LANES : last) {                    \
            __VA_ARGS__                                                                 \
            if (x == last) break;                                                       \
        }                                                                               \
    }
#define RUN(side, number) K(median_##side##_##number)(m);
#define MEDIAN(side, kept, ...)                                                         \
    static int K(median_##side)(const K(strip_rows) *m)                                 \
    {                                                                                   \
        if (m) {                                                                        \
            __VA_ARGS__                                                                 \
        }                                                                               \
        return kept;                                                                    \
    }
#include "medians.h"
#undef P
#undef R
#undef S
#undef W
#undef O
#undef L
#undef H
#undef PASS
#undef RUN
#undef MEDIAN
#undef KEYED
#undef SAMPLE

/* Buffers of one tile. */
typedef struct {
    K(strip_rows) m;
    int (*median)(const K(strip_rows) *);
    KEY *memory, *outside, *spare[2], *kept;
    long room, width;         /* samples of a row of the buffers, and of a strip */
    long held[MOST_SIDE + 1]; /* which rows are kept */
    int straight, has_nan;
} K(medians);

/* Input row `r` of the tile under `cols` windows from column `left` on; `slot` is where it is kept. */
static const KEY *K(input_row)(const Job *j, K(medians) *s, long r, long left, long cols, long slot)
{
    const long channels = (long)j->p.channels, cells = cols + (long)j->p.extent / channels;
    const int64_t *const index = j->cols + left;
    const KEY *const source = (const KEY *)j->src + j->rows[r] * (long)j->p.width * channels;
    KEY *const to = s->kept + slot * s->room;
    if (j->rows[r] < 0) return s->outside;
    if (BITS < 32 && s->straight) return source + index[0] * channels;
    if (s->held[slot] == r) return to;
    s->held[slot] = r;
    if (s->straight) {
        const char *const from = (const char *)(source + index[0] * channels);
        s->has_nan |= ISA(load)(j->p.type, from, 1, cells, channels, (char *)to);
    } else
        for (long i = 0; i < cells; i++) {
            const KEY *const from = source + index[i] * channels;
            KEY *const at = to + i * channels;
            for (long c = 0; c < channels; c++) at[c] = index[i] < 0 ? *s->outside : from[c];
            if (BITS > 16 && index[i] >= 0)
                s->has_nan |= ISA(load)(j->p.type, (const char *)from, 1, 1, channels, (char *)at);
        }
    return to;
}

/* Two rows of results; without a second one it goes astray. */
static void K(two_rows)(const Job *j, K(medians) *s, long row, long left, long cols)
{
    const long channels = (long)j->p.channels, gap = (long)j->p.row_gap, side = (long)j->p.side;
    const int both = row + gap < j->bottom;
    const long first = (row - j->top) / gap; /* so many rows stand before it in its phase */
    const long n = cols * channels, whole = n < LANES ? LANES : n;
    const KEY *input[MOST_SIDE + 1];
    KEY *output[2];
    for (long k = 0; k <= side; k++)
        input[k] = k < side || both ? K(input_row)(j, s, row + k * gap, left, cols, (first + k) % (side + 1))
                                    : input[0];
    for (int t = 0; t < 2; t++) {
        KEY *const to = (KEY *)j->dst + ((row + t * gap) * (long)j->p.out_cols + left) * channels;
        output[t] = n < LANES || (t && !both) ? s->spare[t] : to;
    }
    for (long x = 0; x < whole && !s->has_nan; x += s->width) {
        if (whole - x < LANES) x = whole - LANES;
        s->m.n = whole - x < s->width ? whole - x : s->width;
        for (long k = 0; k <= side; k++) s->m.input[k] = input[k] + x;
        for (int t = 0; t < 2; t++) s->m.output[t] = output[t] + x;
        s->median(&s->m);
    }
    for (int t = 0; n < LANES && t <= both; t++)
        memcpy((KEY *)j->dst + ((row + t * gap) * (long)j->p.out_cols + left) * channels, s->spare[t],
               (size_t)n * sizeof(KEY));
}

/* Whether a row or a column of the tile stands outside the picture. */
static int K(reads_outside)(const Job *j)
{
    int found = 0;
    for (long r = j->top; r < j->bottom - 1 + (long)j->p.reach; r++) found |= j->rows[r] < 0;
    const long end = j->right + (long)(j->p.extent / j->p.channels);
    for (long x = j->left; x < end; x++) found |= j->cols[x] < 0;
    return found;
}

/* All of a tile, if no NaN is in it: 1, or 0 without memory, or 2. `straight` columns lie in the
 * picture side by side, `LANES` samples or more; others are gathered. */
static int K(by_medians)(const Job *j, int straight)
{
    const long channels = (long)j->p.channels, gap = (long)j->p.row_gap, side = (long)j->p.side;
    const long cols = j->right - j->left, block = straight || cols < 64 ? cols : 64;
    K(medians) s = {.m = {.unit = (long)j->p.extent / (side - 1)}, .straight = straight};
#define X(size) \
    if (side == size) s.median = K(median_##size);
    MEDIANS(X)
#undef X
    const long kept = s.median(NULL), extent = (long)j->p.extent;
    s.width = MEDIAN_BYTES / ((kept + 2) * (long)sizeof(KEY)) - extent;
    if (s.width < 2 * extent) s.width = 2 * extent;
    if (s.width < 4 * LANES) s.width = 4 * LANES;
    s.width = s.width / LANES * LANES;
    s.room = block * channels + extent + 2 * LANES;
    if (s.width > s.room) s.width = s.room / LANES * LANES;
    s.m.pitch = (s.width + extent + 2 * LANES) / LANES * LANES;
    s.memory = calloc((size_t)(s.room * (side + 4) + kept * s.m.pitch), sizeof(KEY));
    if (!s.memory) return 0;
    s.outside = s.memory, s.spare[0] = s.memory + s.room, s.spare[1] = s.memory + 2 * s.room;
    s.m.slots = s.memory + 3 * s.room, s.kept = s.m.slots + kept * s.m.pitch;
    KEY outside = *(const KEY *)j->outside;
    const int nan_outside = BITS > 16 && ISA(load)(j->p.type, j->outside, 1, 1, 1, (char *)&outside);
    for (long i = 0; i < s.room; i++) s.outside[i] = outside;
    if (strchr("BHIL", (int)j->p.type)) s.m.flip = LEAST;
    if (strchr("fd", (int)j->p.type)) s.m.turn = MOST;
    s.has_nan = nan_outside && K(reads_outside)(j);
    for (long x = 0; x < cols; x += block)
        for (long phase = j->top; phase < j->bottom && phase < j->top + gap; phase++) {
            for (long k = 0; k <= side; k++) s.held[k] = -1;
            for (long row = phase; row < j->bottom && !s.has_nan; row += 2 * gap)
                K(two_rows)(j, &s, row, j->left + x, cols - x < block ? cols - x : block);
        }
    free(s.memory);
    return s.has_nan ? 2 : 1;
}
