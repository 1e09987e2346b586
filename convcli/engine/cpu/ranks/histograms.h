/* Ranks of bytes under large rectangles, for one instruction set: histograms of two levels, of
 * columns and of the window. Included by isa.h.
 *
 * Source: Perreault and Hebert, "Median filtering in constant time", 2007. Histograms are cumulative
 * here: a cell adds ones to all bins from its own on, and the bin of a rank is the first that holds
 * more, found by one comparison. A histogram of the window's 16 coarse bins follows each step; the 16
 * fine bins within a coarse one only when results fall there. */

#define HIST_COLS 512 /* outputs whose columns are kept: they stay in the second cache */

typedef uint8_t ISA(bins) __attribute__((vector_size(16), aligned(1), may_alias));
typedef int16_t ISA(sums) __attribute__((vector_size(32), aligned(2), may_alias));

#if VBYTES > 16
#define WIDENED(at) (ISA(sums)) _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(at)))
#else
#define WIDENED(at) __builtin_convertvector(*(const ISA(bins) *)(at), ISA(sums))
#endif

/* The first bin that holds more than a rank. */
static inline __attribute__((always_inline)) int ISA(bin)(ISA(sums) held, int16_t rank)
{
    const ISA(sums) above = (ISA(sums))(held > (ISA(sums)){0} + rank);
#if VBYTES > 16
    const __m256i both = (__m256i)above;
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(both),
                                          _mm256_extracti128_si256(both, 1));
    return __builtin_ctz((unsigned)_mm_movemask_epi8(bytes));
#else
    int below = 0;
    for (int i = 0; i < 16; i++) below += !above[i];
    return below;
#endif
}

typedef struct {
    const uint8_t *cells; /* of a strip, with `pitch` */
    uint8_t *found, *coarse, *fine;
    long pitch, rows, cols, height, width, found_pitch, found_step;
    int16_t rank;
} ISA(histograms);

/* Each column takes a cell in and lets another one go. */
static void ISA(down)(const ISA(histograms) *s, const uint8_t *next, const uint8_t *last)
{
    static const uint8_t steps[32] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const long wide = s->cols + s->width - 1;
#define FROM(value) (*(const ISA(bins) *)(steps + 16 - (value)))
    for (long x = 0; x < wide; x++) {
        const long high = next[x] >> 4, low = next[x] & 15;
        ISA(bins) *const fine = (ISA(bins) *)(s->fine + (high * wide + x) * 16);
        ISA(bins) *const coarse = (ISA(bins) *)(s->coarse + x * 16);
        *fine += FROM(low);
        if (last) {
            const long old = last[x] >> 4, rest = last[x] & 15;
            ISA(bins) *const left = (ISA(bins) *)(s->fine + (old * wide + x) * 16);
            *left -= FROM(rest);
            *coarse += FROM(high) - FROM(old);
        } else
            *coarse += FROM(high);
    }
#undef FROM
}

/* A row of results. */
static void ISA(along)(const ISA(histograms) *s, uint8_t *found)
{
    const long wide = s->cols + s->width - 1, width = s->width;
    ISA(sums) held = {0}, kept[16], now = {0};
    int16_t below[32] = {0}; /* bins before each, behind 15 that are not read */
    long at[16], current = -1;
    for (int i = 0; i < 16; i++) at[i] = -width;
    for (long x = 0; x < width; x++) held += WIDENED(s->coarse + x * 16);
    for (long x = 0; x < s->cols; x++) {
        if (x)
            held += WIDENED(s->coarse + (x + width - 1) * 16) - WIDENED(s->coarse + (x - 1) * 16);
        *(ISA(sums) *)(below + 1) = held;
        const int high = ISA(bin)(held, s->rank);
        const uint8_t *fine = s->fine + high * wide * 16;
        if (high != current) {
            if (current >= 0) kept[current] = now;
            now = kept[high], current = high;
        }
        if (at[high] == x - 1)
            now += WIDENED(fine + (x + width - 1) * 16) - WIDENED(fine + (x - 1) * 16);
        else if (2 * (x - at[high]) > width) {
            now = (ISA(sums)){0};
            for (long i = 0; i < width; i++) now += WIDENED(fine + (x + i) * 16);
        } else
            for (long i = at[high] + 1; i <= x; i++)
                now += WIDENED(fine + (i + width - 1) * 16) - WIDENED(fine + (i - 1) * 16);
        at[high] = x;
        found[x * s->found_step] = (uint8_t)(16 * high + ISA(bin)(now, (int16_t)(s->rank - below[high])));
    }
}

/* All of a tile, channel by channel and strip by strip. */
static int ISA(by_histograms)(Job *j)
{
    const long channels = (long)j->p.channels, cells = j->lane_cells, rows = j->bottom - j->top;
    const long cols = j->right - j->left, wide = (long)(j->p.most_shift / channels);
    ISA(histograms) s = {.height = (long)j->p.reach, .width = wide + 1, .rank = (int16_t)j->p.rank};
    uint8_t *plane = malloc((size_t)(j->map_rows * cells));
    uint8_t *results = malloc((size_t)(rows * j->samples));
    s.coarse = malloc((size_t)(HIST_COLS + wide) * 16), s.pitch = cells, s.rows = rows;
    s.fine = malloc((size_t)(HIST_COLS + wide) * 256);
    const int there = plane && results && s.coarse && s.fine;
    for (long c = 0; there && c < channels; c++) {
        for (long r = 0; r < j->map_rows; r++) {
            const char *keys = j->keys + r * j->pitch + c;
            if (channels == 1)
                for (long x = 0; x < cells; x++) plane[r * cells + x] = (uint8_t)(keys[x] ^ 128);
            else
                for (long x = 0; x < cells; x++)
                    plane[r * cells + x] = (uint8_t)(keys[x * channels] ^ 128);
        }
        for (long left = 0; left < cols; left += HIST_COLS) {
            s.cols = cols - left < HIST_COLS ? cols - left : HIST_COLS;
            memset(s.coarse, 0, (size_t)(s.cols + wide) * 16);
            memset(s.fine, 0, (size_t)(s.cols + wide) * 256);
            s.found_step = channels;
            for (long r = 0; r < s.height - 1; r++) ISA(down)(&s, plane + r * cells + left, NULL);
            for (long r = 0; r < rows; r++) {
                const uint8_t *next = plane + (r + s.height - 1) * cells + left;
                ISA(down)(&s, next, r ? plane + (r - 1) * cells + left : NULL);
                ISA(along)(&s, results + r * j->samples + left * channels + c);
            }
        }
    }
    for (long i = 0; there && i < rows * j->samples; i++) results[i] ^= 128;
    for (long r = 0; there && r < rows; r++)
        ISA(store)(j, j->top + r, 0, j->samples, (const char *)(results + r * j->samples));
    free(plane), free(results), free(s.coarse), free(s.fine);
    return there;
}

#undef HIST_COLS
#undef WIDENED
