/* Ranks of bytes under footprints of any shape, for one instruction set: for each of 32 neighbouring
 * windows, how many of its cells lie below each level. When the windows move down, a cell comes and one
 * goes in every run of a column, and only levels between the two change; all windows are counted
 * together. The value of a rank is found as in histograms.h. Included by isa.h. */

#define BLOCK 32
#define LEVELS 256
#define STEPS 8     /* levels that are counted without asking whether they change */
#define AT_ONCE 100 /* cells that come and go before what they change, a byte, is added up */

typedef int16_t ISA(tallies) __attribute__((vector_size(2 * BLOCK), aligned(1), may_alias));
typedef int8_t ISA(changes) __attribute__((vector_size(BLOCK), aligned(1), may_alias));

typedef struct {
    int16_t counts[(LEVELS + 1) * BLOCK];
    int8_t changes[(LEVELS + STEPS) * BLOCK]; /* those behind the last level mean nothing */
    int32_t *all, *edges[4]; /* cells of the footprint; at its right, left, bottom and top */
    long cells, edge[4], pitch;
    int rank, least;
} ISA(levels);

/* What has changed is added up. */
static void ISA(add_up)(ISA(levels) *s, int first, int last)
{
    for (long i = (first + 129) * BLOCK; i < (last + 129) * BLOCK; i++)
        s->counts[i] = (int16_t)(s->counts[i] + s->changes[i]), s->changes[i] = 0;
}

/* All windows move down: `at` is the first cell of the first one before. */
static void ISA(windows_down)(ISA(levels) *s, const int8_t *at)
{
    typedef JOIN(ISA(8), vec) Keys;
    const int32_t *const bottom = s->edges[2], *const top = s->edges[3];
    const long n = s->edge[2], pitch = s->pitch;
    for (long from = 0; from < n; from += AT_ONCE) {
        int first = 127, last = -128;
        for (long e = from; e < n && e < from + AT_ONCE; e++)
            for (long x = 0; x < BLOCK; x += VBYTES < BLOCK ? VBYTES : BLOCK) {
#if VBYTES > BLOCK
                const Keys come = (Keys)_mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(at + pitch + bottom[e])));
                const Keys gone = (Keys)_mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(at + top[e])));
#else
                const Keys come = *(const Keys *)(at + pitch + bottom[e] + x);
                const Keys gone = *(const Keys *)(at + top[e] + x);
#endif
                int least, most;
                ISA(reach)(come, gone, &least, &most);
                if (least < first) first = least;
                if (most > last) last = most;
                int8_t *to = s->changes + (least + 129) * BLOCK + x;
#if VBYTES > BLOCK
                typedef ISA(changes) Half;
                typedef ISA(block) Unsigned;
                const Half in = (Half)_mm512_castsi512_si256((__m512i)come);
                const Half out = (Half)_mm512_castsi512_si256((__m512i)gone);
#else
                typedef Keys Half;
                typedef ISA(counts) Unsigned;
                const Half in = come, out = gone;
#endif
                /* Without signs: what means nothing may wrap around. */
                Unsigned level = (Unsigned){0} + (uint8_t)least;
                for (int i = least; i < most; i += STEPS)
                    for (int step = 0; step < STEPS; step++, to += BLOCK) {
                        level += 1;
                        *(Unsigned *)to += (Unsigned)(out < (Half)level) - (Unsigned)(in < (Half)level);
                    }
            }
        ISA(add_up)(s, first, last);
    }
}

/* Counts of the windows of a block, one after the other; `at` is the first cell of the first. */
static void ISA(first_windows)(ISA(levels) *s, const int8_t *at)
{
    int16_t held[LEVELS] = {0};
    for (long i = 0; i < s->cells; i++) held[at[s->all[i]] + 128]++;
    for (long x = 0; x < BLOCK; x++) {
        for (long i = 0; x && i < s->edge[0]; i++) held[at[x + s->edges[0][i]] + 128]++;
        for (long i = 0; x && i < s->edge[1]; i++) held[at[x - 1 + s->edges[1][i]] + 128]--;
        int16_t below = 0;
        for (long level = 0; level <= LEVELS; level++) {
            s->counts[level * BLOCK + x] = below;
            if (level < LEVELS) below = (int16_t)(below + held[level]);
        }
    }
    memset(s->changes, 0, sizeof s->changes);
    s->least = 0;
}

/* Windows with no more cells below a level than the rank: a bit for each, and a byte of ones. */
static inline __attribute__((always_inline)) uint32_t
ISA(at_most)(const ISA(levels) *s, int level, ISA(block) *held)
{
    const int16_t *const at = s->counts + level * BLOCK;
#if VBYTES > 16
    const __m256i most = _mm256_set1_epi16((int16_t)(s->rank + 1));
    const __m256i a = _mm256_loadu_si256((const __m256i *)at);
    const __m256i b = _mm256_loadu_si256((const __m256i *)(at + 16));
    const __m256i both = _mm256_packs_epi16(_mm256_cmpgt_epi16(most, a), _mm256_cmpgt_epi16(most, b));
    *held = (ISA(block))both;
    return (uint32_t)_mm256_movemask_epi8(both);
#else
    uint8_t each[BLOCK];
    uint32_t bits = 0;
    for (int i = 0; i < BLOCK; i++) each[i] = at[i] <= s->rank ? 255 : 0;
    for (int i = 0; i < BLOCK; i++) bits |= (uint32_t)(each[i] & 1) << i;
    memcpy(held, each, sizeof each);
    return bits;
#endif
}

static void ISA(values_of_block)(ISA(levels) *s, int8_t *found)
{
    ISA(block) held;
    int level = s->least;
    while (level && ISA(at_most)(s, level, &held) != UINT32_MAX) level--;
    s->least = level;
    ISA(block) values = (ISA(block)){0} + (uint8_t)(level + 128);
    for (level++; level < LEVELS; level++) {
        const uint32_t bits = ISA(at_most)(s, level, &held);
        if (!bits) break;
        if (bits == UINT32_MAX) s->least = level;
        values -= held;
    }
    *(ISA(block) *)found = IN_ORDER(values);
}

/* A channel of a tile, block by block. */
static void ISA(level_channel)(const Job *j, ISA(levels) *s, const int8_t *cells, int8_t *results,
                               long channel)
{
    const long rows = j->bottom - j->top, cols = j->right - j->left, channels = (long)j->p.channels;
    int8_t line[BLOCK];
    for (long left = 0; left < cols; left += BLOCK) {
        const long n = cols - left < BLOCK ? cols - left : BLOCK;
        ISA(first_windows)(s, cells + left);
        for (long r = 0; r < rows; r++) {
            if (r) ISA(windows_down)(s, cells + (r - 1) * s->pitch + left);
            ISA(values_of_block)(s, line);
            int8_t *const to = results + r * j->samples + left * channels + channel;
            for (long x = 0; x < n; x++) to[x * channels] = line[x];
        }
    }
}

/* The footprint's cells and edges, as offsets in a plane. */
static int ISA(outline)(const Job *j, ISA(levels) *s)
{
    const long tall = (long)j->p.reach, wide = (long)(j->p.most_shift / j->p.channels) + 1;
    char *inside = calloc((size_t)(tall * wide), 1);
    s->cells = (long)j->p.cells;
    s->all = malloc((size_t)s->cells * 5 * sizeof *s->all);
    if (inside && s->all) {
        for (long t = 0; t < s->cells; t++) {
            const long x = (long)(j->taps[t].shift / j->p.channels), y = (long)j->taps[t].row;
            inside[x * tall + y] = 1;
            s->all[t] = (int32_t)(y * s->pitch + x);
        }
        static const int down[4] = {0, 0, 1, -1}, right[4] = {1, -1, 0, 0};
        for (int e = 0; e < 4; e++) {
            int32_t *const found = s->edges[e] = s->all + (e + 1) * s->cells;
            s->edge[e] = JOIN(ISA(8), edge)(inside, tall, wide, down[e], right[e], tall, found);
            for (long i = 0; i < s->edge[e]; i++)
                found[i] = (int32_t)(found[i] % tall * s->pitch + found[i] / tall);
        }
    }
    free(inside);
    return inside && s->all;
}

/* All of a tile; each channel is a plane of its own. */
static int ISA(by_levels)(Job *j)
{
    const long channels = (long)j->p.channels, rows = j->bottom - j->top;
    ISA(levels) *const s = malloc(sizeof *s);
    if (!s) return 0;
    s->pitch = j->lane_cells + 2 * BLOCK, s->rank = (int)j->p.rank;
    int8_t *plane = calloc((size_t)(j->map_rows * s->pitch), 1);
    int8_t *results = malloc((size_t)(rows * j->samples));
    s->all = NULL;
    const int there = plane && results && ISA(outline)(j, s);
    for (long c = 0; there && c < channels; c++) {
        for (long r = 0; r < j->map_rows; r++) {
            const char *keys = j->keys + r * j->pitch + c;
            for (long x = 0; x < j->lane_cells; x++) plane[r * s->pitch + x] = (int8_t)keys[x * channels];
        }
        ISA(level_channel)(j, s, plane, results, c);
    }
    for (long r = 0; there && r < rows; r++)
        ISA(store)(j, j->top + r, 0, j->samples, (const char *)(results + r * j->samples));
    free(plane), free(results), free(s->all), free(s);
    return there;
}

#undef BLOCK
#undef LEVELS
#undef AT_ONCE
#undef STEPS
#undef IN_ORDER
