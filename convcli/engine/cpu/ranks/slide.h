/* Ranks under large footprints for keys of any size: the tile's values are sorted once and stand for
 * their places; a window is a set of bits, one for each place, in which the bits of its edges change
 * as it moves by one, to the right, down, to the left, down. Included by keyed.h.
 *
 * What does not vote comes last: it has the places from `voting` on. */

typedef struct {
    UKEY key;
    uint32_t cell;
} K(entry);

/* Sort by key, 11 bits at a time; the result is in `a` or in `b`. */
static K(entry) *K(sorted)(K(entry) *a, K(entry) *b, long n)
{
    for (int shift = 0; shift < BITS; shift += 11) {
        long starts[2048] = {0}, sum = 0;
        for (long i = 0; i < n; i++) starts[a[i].key >> shift & 2047]++;
        if (starts[a[0].key >> shift & 2047] == n) continue;
        for (long i = 0; i < 2048; i++) {
            const long count = starts[i];
            starts[i] = sum, sum += count;
        }
        for (long i = 0; i < n; i++) b[starts[a[i].key >> shift & 2047]++] = a[i];
        K(entry) *const other = a;
        a = b, b = other;
    }
    return a;
}

/* A window that moves over the places of a tile. */
typedef struct {
    const uint32_t *places; /* column by column */
    uint64_t *bits;
    long word, below; /* values in the words before that one */
    long votes;
    uint32_t voting;
} K(window);

/* Cells enter and others leave. */
static inline __attribute__((always_inline)) void
K(change)(K(window) *w, const int32_t *enter, const int32_t *leave, long entering, long leaving,
          const uint32_t *enter_at, const uint32_t *leave_at, int even)
{
    const uint32_t limit = (uint32_t)(w->word * 64), voting = w->voting;
    int32_t below = 0, votes = 0;
    uint64_t *const bits = w->bits;
    for (long i = 0; i < entering; i++) {
        const uint32_t place = enter_at[even ? i : enter[i]];
        bits[place >> 6] |= (uint64_t)1 << (place & 63);
        if (!even) below += place < limit, votes += place < voting;
    }
    for (long i = 0; i < leaving; i++) {
        const uint32_t place = leave_at[even ? i : leave[i]];
        bits[place >> 6] &= ~((uint64_t)1 << (place & 63));
        if (!even) below -= place < limit, votes -= place < voting;
    }
    if (even)
        for (long i = 0; i < entering; i++) {
            below += (enter_at[i] < limit) - (leave_at[i] < limit);
            votes += (enter_at[i] < voting) - (leave_at[i] < voting);
        }
    w->below += below, w->votes += votes;
}

/* The place of the value of a rank. */
static inline __attribute__((always_inline)) long K(at_rank)(K(window) *w, long rank)
{
    const uint64_t *const bits = w->bits;
    while (w->below > rank) w->below -= __builtin_popcountll(bits[--w->word]);
    for (;;) {
        const long some = __builtin_popcountll(bits[w->word]);
        if (w->below + some > rank) break;
        w->below += some, w->word++;
    }
    uint64_t left = bits[w->word];
    for (long i = w->below; i < rank; i++) left &= left - 1;
    return w->word * 64 + __builtin_ctzll(left);
}

/* Cells of the footprint at one of its edges, as offsets among the places, and how many. */
static long K(edge)(const char *inside, long rows, long cols, long down, long right, long height,
                    int32_t *found)
{
    long n = 0;
    for (long x = 0; x < cols; x++)
        for (long y = 0; y < rows; y++) {
            const long v = y + down, u = x + right;
            if (inside[x * rows + y] &&
                (v < 0 || v >= rows || u < 0 || u >= cols || !inside[u * rows + v]))
                found[n++] = (int32_t)(x * height + y);
        }
    return n;
}

typedef struct {
    K(entry) *a, *b;
    uint32_t *places;
    uint64_t *bits;
    KEY *results;
    char *inside;
    int32_t *edges[4]; /* at the right, the left, the bottom and the top */
    long edge[4];
    int32_t *all;
} K(slider);

/* One channel of a tile. */
static void K(slide_channel)(Job *j, K(slider) *s, long channel)
{
    const long channels = (long)j->p.channels, height = j->map_rows, width = j->lane_cells;
    const long rows = j->bottom - j->top, cols = j->right - j->left, n = height * width;
    const long tall = (long)j->p.reach, even = j->p.cells == tall * (width - cols + 1);
    for (long x = 0; x < width; x++)
        for (long y = 0; y < height; y++) {
            const KEY key = ((const KEY *)j->keys)[y * j->pitch + x * channels + channel];
            s->a[x * height + y].key = (UKEY)key ^ (UKEY)LEAST;
            s->a[x * height + y].cell = (uint32_t)(x * height + y);
        }
    const K(entry) *order = K(sorted)(s->a, s->b, n);
    for (long i = 0; i < n; i++) s->places[order[i].cell] = (uint32_t)i;
    long voting = n;
    while (j->has_nan && voting && order[voting - 1].key == (UKEY)((UKEY)MOST ^ (UKEY)LEAST)) voting--;
    memset(s->bits, 0, (size_t)(n / 64 + 1) * 8);
    K(window) w = {s->places, s->bits, 0, 0, 0, (uint32_t)voting};
    K(change)(&w, s->all, NULL, (long)j->p.cells, 0, s->places, NULL, 0);
    for (long y = 0, x = 0; y < rows; y++) {
        const long way = y & 1 ? -1 : 1;
        for (long i = 0; i < cols; i++) {
            if (i) {
                const uint32_t *here = s->places + x * height + y, *there = here + way * height;
                const int ahead = way < 0, behind = !ahead;
                if (even) {
                    const long far = (width - cols) * height;
                    K(change)(&w, NULL, NULL, tall, tall, there + (ahead ? 0 : far),
                              here + (ahead ? far : 0), 1);
                } else
                    K(change)(&w, s->edges[ahead], s->edges[behind], s->edge[ahead],
                              s->edge[behind], there, here, 0);
                x += way;
            }
            const long rank = j->order[w.votes];
            s->results[(y * cols + x) * channels + channel] =
                w.votes ? (KEY)(order[K(at_rank)(&w, rank)].key ^ (UKEY)LEAST) : MOST;
        }
        if (y + 1 < rows) {
            const uint32_t *here = s->places + x * height + y;
            K(change)(&w, s->edges[2], s->edges[3], s->edge[2], s->edge[3], here + 1, here, 0);
        }
    }
}

/* All of a tile. */
static int K(by_sliding)(Job *j)
{
    const long n = j->map_rows * j->lane_cells, cells = (long)j->p.cells;
    const long tall = (long)j->p.reach, wide = (long)(j->p.most_shift / j->p.channels) + 1;
    const long rows = j->bottom - j->top;
    K(slider) s = {0};
    int done = 0;
    s.a = malloc((size_t)n * sizeof *s.a), s.b = malloc((size_t)n * sizeof *s.b);
    s.places = malloc((size_t)n * sizeof *s.places);
    s.bits = malloc((size_t)(n / 64 + 1) * 8);
    s.results = malloc((size_t)(rows * j->samples) * sizeof(KEY));
    s.inside = calloc((size_t)(tall * wide), 1);
    s.all = malloc((size_t)cells * 5 * sizeof *s.all);
    if (s.a && s.b && s.places && s.bits && s.results && s.inside && s.all) {
        for (long t = 0; t < cells; t++) {
            const long x = (long)(j->taps[t].shift / j->p.channels), y = (long)j->taps[t].row;
            s.inside[x * tall + y] = 1;
            s.all[t] = (int32_t)(x * j->map_rows + y);
        }
        static const int down[4] = {0, 0, 1, -1}, right[4] = {1, -1, 0, 0};
        for (int e = 0; e < 4; e++) {
            s.edges[e] = s.all + (e + 1) * cells;
            s.edge[e] = K(edge)(s.inside, tall, wide, down[e], right[e], j->map_rows, s.edges[e]);
        }
        for (long c = 0; c < j->p.channels; c++) K(slide_channel)(j, &s, c);
        for (long r = 0; r < rows; r++)
            ISA(store)(j, j->top + r, 0, j->samples, (const char *)(s.results + r * j->samples));
        done = 1;
    }
    free(s.a), free(s.b), free(s.places), free(s.bits), free(s.results), free(s.inside), free(s.all);
    return done;
}
