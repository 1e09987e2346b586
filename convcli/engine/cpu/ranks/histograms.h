/* Ranks of bytes under large rectangles, for one instruction set: cumulative histograms of columns.
 * Included by isa.h.
 *
 * Source: the histograms of columns of Perreault and Hebert, "Median filtering in constant time",
 * 2007. Here they are cumulative and stand level by level, so that neighbouring columns are counted
 * together: `counts[level][column]` is how many cells of the column lie below the level. When a row
 * comes and one goes, only levels between the two cells change. A block of neighbouring windows is
 * searched together: the value of a rank is the number of levels, from the second on, below which a
 * window has no more cells than the rank; these are counted from the least value of the block's last
 * row, one level after the other, and so few of them are looked at. */

#define HIST_COLS 768  /* most outputs whose columns are kept: they stay in the second cache */
#define HIST_BLOCK 32  /* windows that are searched together */
#define HIST_LEVELS 256

typedef uint8_t ISA(counts) __attribute__((vector_size(VBYTES), aligned(1), may_alias));

typedef struct {
    uint8_t *counts, *least; /* the column before the first has none below any level */
    long pitch, strip, columns, cols, width;
    int rank;
} ISA(histograms);

/* The least and the largest of the keys of two vectors. */
static inline __attribute__((always_inline)) void
ISA(reach)(JOIN(ISA(8), vec) a, JOIN(ISA(8), vec) b, int *least, int *most)
{
    typedef uint64_t Parts __attribute__((vector_size(VBYTES)));
    typedef JOIN(ISA(8), vec) Keys;
    Keys low = JOIN(ISA(8), smaller)(a, b), high = JOIN(ISA(8), larger)(a, b);
    for (int shift = 32; shift >= 8; shift /= 2) {
        low = JOIN(ISA(8), smaller)(low, (Keys)((Parts)low >> shift));
        high = JOIN(ISA(8), larger)(high, (Keys)((Parts)high >> shift));
    }
    *least = low[0], *most = high[0];
    for (long i = 8; i < VBYTES; i += 8) {
        if (low[i] < *least) *least = low[i];
        if (high[i] > *most) *most = high[i];
    }
}

/* Counts of the first windows' columns. */
static void ISA(start)(const ISA(histograms) *s, const int8_t *cells, long pitch, long tall)
{
    const long columns = s->columns, by = s->pitch;
    uint8_t *const counts = s->counts;
    memset(counts - 64, 0, (size_t)((HIST_LEVELS + 4) * by));
    for (long r = 0; r < tall; r++, cells += pitch)
        for (long x = 0; x < columns; x++) counts[(cells[x] + 129) * by + x]++;
    for (uint8_t *level = counts; level < counts + (HIST_LEVELS + 3) * by; level += by)
        for (long x = 0; x < columns; x++) level[by + x] += level[x];
    memset(s->least, 0, HIST_COLS / HIST_BLOCK);
}

/* Each column takes a cell in and lets another one go. */
static void ISA(down)(const ISA(histograms) *s, const int8_t *next, const int8_t *last)
{
    typedef JOIN(ISA(8), vec) Keys;
    const long columns = s->columns, by = s->pitch;
    for (long x = 0; x < columns; x += VBYTES) {
        const Keys come = *(const Keys *)(next + x), gone = *(const Keys *)(last + x);
        int least, most;
        ISA(reach)(come, gone, &least, &most);
        uint8_t *at = s->counts + (least + 129) * by + x;
        Keys level = (Keys){0} + (int8_t)least;
        for (int i = least; i < most; i++, at += by) {
            level += 1;
            *(ISA(counts) *)at += (ISA(counts))(gone < level) - (ISA(counts))(come < level);
        }
    }
}

typedef uint8_t ISA(block) __attribute__((vector_size(HIST_BLOCK), aligned(1), may_alias));

#if VBYTES > 16
/* What is added to the sum of a window from one of 16 columns to the next, summed up. */
static inline __attribute__((always_inline)) __m256i ISA(along)(const uint8_t *at, long width)
{
    const __m256i in = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(at + width)));
    const __m256i out = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)at));
    __m256i sum = _mm256_sub_epi16(in, out);
    sum = _mm256_add_epi16(sum, _mm256_slli_si256(sum, 2));
    sum = _mm256_add_epi16(sum, _mm256_slli_si256(sum, 4));
    sum = _mm256_add_epi16(sum, _mm256_slli_si256(sum, 8));
    const __m256i low = _mm256_permute2x128_si256(sum, sum, 0x08);
    return _mm256_add_epi16(sum, _mm256_shuffle_epi8(low, _mm256_set1_epi16(0x0f0e)));
}

/* The sum of so many bytes. */
static inline __attribute__((always_inline)) int ISA(sum)(const uint8_t *at, long n)
{
    static const uint8_t ends[64] = {
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    };
    const __m256i none = _mm256_setzero_si256();
    __m256i sum = none;
    for (; n > 32; n -= 32, at += 32)
        sum = _mm256_add_epi64(sum, _mm256_sad_epu8(_mm256_loadu_si256((const __m256i *)at), none));
    const __m256i end = _mm256_loadu_si256((const __m256i *)(ends + 32 - n));
    const __m256i rest = _mm256_and_si256(end, _mm256_loadu_si256((const __m256i *)at));
    sum = _mm256_add_epi64(sum, _mm256_sad_epu8(rest, none));
    const __m128i low = _mm256_castsi256_si128(sum), high = _mm256_extracti128_si256(sum, 1);
    const __m128i both = _mm_add_epi64(low, high);
    return _mm_cvtsi128_si32(_mm_add_epi64(both, _mm_unpackhi_epi64(both, both)));
}

/* Windows of a block with no more cells below a level than the rank: a bit for each, and all bits of
 * its byte in `held`. `at` are the counts of the column before the first. */
static inline __attribute__((always_inline)) uint32_t
ISA(within)(long width, int rank, const uint8_t *at, ISA(block) *held)
{
    const __m256i base = _mm256_set1_epi16((int16_t)ISA(sum)(at, width));
    const __m256i most = _mm256_set1_epi16((int16_t)(rank + 1));
    const __m256i a = _mm256_add_epi16(ISA(along)(at, width), base);
    const __m256i end = _mm256_permute4x64_epi64(a, 0xff);
    const __m256i last = _mm256_shuffle_epi8(end, _mm256_set1_epi16(0x0f0e));
    const __m256i b = _mm256_add_epi16(ISA(along)(at + 16, width), last);
    const __m256i first = _mm256_cmpgt_epi16(most, a), second = _mm256_cmpgt_epi16(most, b);
    const __m256i both = _mm256_packs_epi16(first, second);
    *held = (ISA(block))both;
    return (uint32_t)_mm256_movemask_epi8(both);
}
#define IN_ORDER(values) (ISA(block)) _mm256_permute4x64_epi64((__m256i)(values), 0xd8)
#else
static inline __attribute__((always_inline)) uint32_t
ISA(within)(long width, int rank, const uint8_t *at, ISA(block) *held)
{
    int sum = 0;
    uint32_t bits = 0;
    uint8_t each[HIST_BLOCK];
    for (long i = 0; i < width; i++) sum += at[i];
    for (int i = 0; i < HIST_BLOCK; i++) {
        sum += at[width + i] - at[i];
        each[i] = sum <= rank ? 255 : 0;
        bits |= (uint32_t)(each[i] & 1) << i;
    }
    memcpy(held, each, sizeof each);
    return bits;
}
#define IN_ORDER(values) (values)
#endif

/* The values of a block of windows: four levels at a time, since it is known late whether more are
 * needed, and one at a time, in longer and longer steps, where nothing changes. */
static void ISA(search)(const ISA(histograms) *s, long x, int8_t *found)
{
    const uint8_t *const from = s->counts + x - 1;
    const long pitch = s->pitch, width = s->width;
    const int rank = s->rank;
    const uint32_t all = UINT32_MAX;
    ISA(block) held[4], values;
    uint32_t bits[4];
    long level = s->least[x / HIST_BLOCK];
#define EACH(at, i) bits[i] = ISA(within)(width, rank, (at) + (i) * pitch, held + (i));
#define FOUR(at) EACH(at, 0) EACH(at, 1) EACH(at, 2) EACH(at, 3)
    FOUR(from + level * pitch)
    if (bits[0] != all) {
        for (long step = 1; bits[0] != all; step *= 2) {
            level = level > step ? level - step : 0;
            bits[0] = ISA(within)(width, rank, from + level * pitch, held);
        }
        FOUR(from + level * pitch)
    }
    values = (uint8_t)(level + 128) - held[1] - held[2] - held[3];
    const int more = (bits[1] == all) + (bits[2] == all) + (bits[3] == all);
    s->least[x / HIST_BLOCK] = (uint8_t)(level + more);
    for (level += 4; bits[3] && level < HIST_LEVELS; level += 4) {
        const uint32_t before = bits[3];
        FOUR(from + level * pitch)
        values = values - held[0] - held[1] - held[2] - held[3];
        if (bits[3] != before) continue;
        for (long step = 8; level + 4 + step <= HIST_LEVELS; step *= 2) {
            if (ISA(within)(width, rank, from + (level + 3 + step) * pitch, held) != before) break;
            values += held[0] & (uint8_t)step;
            level += step;
        }
        if (before == all) s->least[x / HIST_BLOCK] = (uint8_t)(level + 3);
    }
#undef FOUR
#undef EACH
    *(ISA(block) *)found = IN_ORDER(values);
}

/* A channel of a tile, strip by strip. */
static void ISA(count_channel)(const Job *j, ISA(histograms) *s, const int8_t *cells, long pitch,
                               int8_t *results, long channel)
{
    const long rows = j->bottom - j->top, cols = j->right - j->left, tall = (long)j->p.reach;
    const long channels = (long)j->p.channels;
    int8_t line[HIST_COLS + HIST_BLOCK];
    for (long left = 0; left < cols; left += s->strip) {
        s->cols = cols - left < s->strip ? cols - left : s->strip;
        s->columns = s->cols + s->width - 1;
        ISA(start)(s, cells + left, pitch, tall);
        for (long r = 0; r < rows; r++) {
            const int8_t *const last = cells + (r - 1) * pitch + left;
            if (r) ISA(down)(s, last + tall * pitch, last);
            for (long x = 0; x < s->cols; x += HIST_BLOCK) ISA(search)(s, x, line + x);
            if (channels == 1)
                ISA(store)(j, j->top + r, left, s->cols, (const char *)line);
            else {
                int8_t *const to = results + r * j->samples + left * channels + channel;
                for (long x = 0; x < s->cols; x++) to[x * channels] = line[x];
            }
        }
    }
}

/* All of a tile; colours are taken apart. */
static int ISA(by_histograms)(Job *j)
{
    const long channels = (long)j->p.channels, cells = j->lane_cells, rows = j->bottom - j->top;
    const long room = cells + 4 * HIST_BLOCK;
    uint8_t least[HIST_COLS / HIST_BLOCK];
    ISA(histograms) s = {.least = least, .rank = (int)j->p.rank};
    s.width = (long)j->p.most_shift / channels + 1;
    s.strip = s.width > 64 ? HIST_COLS : HIST_COLS / 2;
    s.pitch = ((s.strip + s.width + 128) / 64 | 1) * 64; /* levels lie in all sets of a cache */
    uint8_t *counts = aligned_alloc(64, (size_t)((HIST_LEVELS + 4) * s.pitch));
    int8_t *plane = NULL, *results = NULL;
    if (channels > 1) {
        plane = calloc((size_t)(j->map_rows * room), 1);
        results = malloc((size_t)(rows * j->samples));
    }
    const int there = counts && (channels == 1 || (plane && results));
    s.counts = counts + 64;
    if (there && channels == 1)
        ISA(count_channel)(j, &s, (const int8_t *)j->keys, j->pitch, NULL, 0);
    for (long c = 0; there && channels > 1 && c < channels; c++) {
        for (long r = 0; r < j->map_rows; r++) {
            const char *keys = j->keys + r * j->pitch + c;
            for (long x = 0; x < cells; x++) plane[r * room + x] = (int8_t)keys[x * channels];
        }
        ISA(count_channel)(j, &s, plane, room, results, c);
    }
    for (long r = 0; there && channels > 1 && r < rows; r++)
        ISA(store)(j, j->top + r, 0, j->samples, (const char *)(results + r * j->samples));
    free(counts), free(plane), free(results);
    return there;
}

#undef HIST_COLS
#undef HIST_BLOCK
#undef HIST_LEVELS
