/* Ranks of bytes under large rectangles, for one instruction set: by counts of what lies below a
 * level. Included by isa.h.
 *
 * The result is the highest level below which no more values lie than the rank. In a block of
 * outputs most results lie close together, so few levels have to be tried: an interval of levels is
 * halved only where the numbers of results at or above its two ends differ. Counts are running sums
 * down the columns, and sums of 1, 2, 4, ... neighbours across: what a level costs hardly depends on
 * the size of the window. */

#define COUNT_COLS 128 /* outputs of a block */
#define COUNT_ROWS 64
#define COUNT_MOST (COUNT_COLS + 256 + 128) /* columns that they read, and those behind */
#define COUNT_SUMS 8                       /* of 1 to 128 columns */

typedef struct {
    const int8_t *cells; /* the block's first */
    long pitch, rows, cols, height, width;
    int rank;
    int8_t *found; /* COUNT_COLS in a row */
    long at_least[257];  /* results at or above a level, counted from the lowest; -1: not tried */
} ISA(levels);

/* Sums of `width` columns from each on. */
static inline __attribute__((always_inline)) void
ISA(across)(const uint8_t *restrict column, long cols, long height, long width, uint16_t *restrict total)
{
    uint8_t narrow[COUNT_SUMS][COUNT_MOST];
    uint16_t wide[COUNT_SUMS][COUNT_MOST];
    const long all = (cols + width - 1 + 31) / 32 * 32, some = (cols + 31) / 32 * 32;
    long done = 0;
    const uint8_t *bytes = column;
    memset(total, 0, (size_t)some * 2);
    for (int power = 0; width >> power; power++) {
        const long step = 1L << power >> 1;
        const int fits = height << power <= 255;
        if (power && fits) {
            uint8_t *restrict to = narrow[power];
            for (long x = 0; x < all; x++) to[x] = (uint8_t)(bytes[x] + bytes[x + step]);
            bytes = to;
        } else if (power && height << (power - 1) <= 255) {
            for (long x = 0; x < all; x++)
                wide[power][x] = (uint16_t)(bytes[x] + bytes[x + step]);
        } else if (power) {
            const uint16_t *from = wide[power - 1];
            for (long x = 0; x < all; x++)
                wide[power][x] = (uint16_t)(from[x] + from[x + step]);
        }
        if (!(width >> power & 1)) continue;
        if (fits)
            for (long x = 0; x < some; x++) total[x] = (uint16_t)(total[x] + bytes[done + x]);
        else
            for (long x = 0; x < some; x++) total[x] = (uint16_t)(total[x] + wide[power][done + x]);
        done += 1L << power;
    }
}

/* Raise to a level all results that are at or above it, and count them. */
static long ISA(try)(ISA(levels) *l, int number)
{
    if (l->at_least[number] >= 0) return l->at_least[number];
    const int8_t level = (int8_t)(number - 128);
    const long all = (l->cols + l->width - 1 + 31) / 32 * 32, some = (l->cols + 31) / 32 * 32;
    uint8_t column[COUNT_MOST] = {0};
    uint16_t total[COUNT_COLS];
    const uint16_t rank = (uint16_t)l->rank;
    long reached = 0;
    for (long r = 0; r < l->height - 1; r++) {
        const int8_t *cells = l->cells + r * l->pitch;
        for (long x = 0; x < all; x++) column[x] = (uint8_t)(column[x] + (cells[x] < level));
    }
    for (long r = 0; r < l->rows; r++) {
        const int8_t *next = l->cells + (r + l->height - 1) * l->pitch;
        const int8_t *last = r ? l->cells + (r - 1) * l->pitch : NULL;
        if (last)
            for (long x = 0; x < all; x++)
                column[x] = (uint8_t)(column[x] + (next[x] < level) - (last[x] < level));
        else
            for (long x = 0; x < all; x++) column[x] = (uint8_t)(column[x] + (next[x] < level));
        ISA(across)(column, l->cols, l->height, l->width, total);
        int8_t *found = l->found + r * COUNT_COLS;
        uint8_t reach[COUNT_COLS];
        for (long x = 0; x < some; x++) reach[x] = total[x] <= rank;
        for (long x = 0; x < some; x++)
            found[x] = reach[x] && found[x] < level ? level : found[x];
        int count = 0;
        for (long x = 0; x < l->cols; x++) count += reach[x];
        reached += count;
    }
    return l->at_least[number] = reached;
}

/* Try the levels between two that were tried, where results lie between them. */
static void ISA(between)(ISA(levels) *l, int low, int high)
{
    if (high - low < 2 || l->at_least[low] == l->at_least[high]) return;
    const int middle = (low + high) / 2;
    ISA(try)(l, middle);
    ISA(between)(l, low, middle);
    ISA(between)(l, middle, high);
}

/* A block, from where its neighbour's results lay. */
static void ISA(block)(ISA(levels) *l, int *low, int *high)
{
    for (int i = 0; i <= 256; i++) l->at_least[i] = -1;
    l->at_least[0] = l->rows * l->cols, l->at_least[256] = 0;
    memset(l->found, -128, COUNT_ROWS * COUNT_COLS);
    ISA(try)(l, *low);
    ISA(try)(l, *high);
    ISA(between)(l, 0, *low);
    ISA(between)(l, *low, *high);
    ISA(between)(l, *high, 256);
    int least = 127, most = -128;
    for (long r = 0; r < l->rows; r++)
        for (long x = 0; x < l->cols; x++) {
            const int8_t value = l->found[r * COUNT_COLS + x];
            least = value < least ? value : least;
            most = value > most ? value : most;
        }
    *low = least + 128, *high = most + 129;
}

/* All of a tile, channel by channel. */
static int ISA(by_counts)(Job *j)
{
    const long channels = (long)j->p.channels, cells = j->lane_cells, pitch = cells + COUNT_MOST;
    const long rows = j->bottom - j->top, cols = j->right - j->left;
    ISA(levels) l;
    int8_t *plane = calloc((size_t)(j->map_rows * pitch), 1);
    int8_t *results = malloc((size_t)(rows * j->samples)), found[COUNT_ROWS * COUNT_COLS];
    if (!plane || !results) return free(plane), free(results), 0;
    l.height = (long)j->p.reach, l.width = (long)(j->p.most_shift / channels) + 1;
    l.rank = (int)j->p.rank, l.pitch = pitch, l.found = found;
    for (long c = 0; c < channels; c++) {
        int low = 0, high = 256;
        for (long r = 0; r < j->map_rows; r++)
            for (long x = 0; x < cells; x++)
                plane[r * pitch + x] = (int8_t)j->keys[r * j->pitch + x * channels + c];
        for (long top = 0; top < rows; top += COUNT_ROWS)
            for (long left = 0; left < cols; left += COUNT_COLS) {
                l.cells = plane + top * pitch + left;
                l.rows = rows - top < COUNT_ROWS ? rows - top : COUNT_ROWS;
                l.cols = cols - left < COUNT_COLS ? cols - left : COUNT_COLS;
                ISA(block)(&l, &low, &high);
                for (long r = 0; r < l.rows; r++)
                    for (long x = 0; x < l.cols; x++)
                        results[(top + r) * j->samples + (left + x) * channels + c] =
                            found[r * COUNT_COLS + x];
            }
    }
    for (long r = 0; r < rows; r++)
        ISA(store)(j, j->top + r, 0, j->samples, (const char *)(results + r * j->samples));
    free(plane), free(results);
    return 1;
}

#undef COUNT_COLS
#undef COUNT_ROWS
#undef COUNT_MOST
#undef COUNT_SUMS
