/* Winograd's minimal filtering F(2x2, 3x3) for one type T (Lavin and Gray 2016): of each 4x4 cells d
 * and each 3x3 weights g four outputs by 16 products instead of 36,
 *
 *     A' [(G g G') * (B' d B)] A / 4,   B' = 1  0 -1  0    G = 2  0  0    A' = 1  1  1  0
 *                                            0  1  1  0        1  1  1         0  1 -1 -1
 *                                            0 -1  1  0        1 -1  1
 *                                            0  1  0 -1        0  0  2
 *
 * G is twice the usual one, so that nothing is halved before the end: on small whole numbers all of
 * it is exact. Included by tensors_isa.h. The products are 16 products of matrices, which the
 * panels of direct convolution carry out.
 *
 * What overflows on the way, and what is not finite in x or the weight, arrives in the outputs that
 * depend on it as an infinity or NaN: a unit with such an output is done again directly. */

#define EDGE 2         /* outputs of a tile along each axis */
#define POINTS 16      /* products of a tile */
#define UNIT_BYTES (256L << 10) /* of transformed cells: a share of the L2 cache */
#define PART_BYTES (96L << 10)  /* of products before they are transformed back */
#define MOST_TILES 96

/* Tiles along an axis; vectors of tiles of an image, which are what is cut. */
INLINE long NAME(tiles)(const Job *j, int axis) { return (j->outputs[axis] + EDGE - 1) / EDGE; }

INLINE long NAME(tile_vectors)(const Job *j)
{
    return (NAME(tiles)(j, 1) * NAME(tiles)(j, 2) + LANES - 1) / LANES;
}

/* Values from one point's transformed cells to the next: a vector too many is written. */
INLINE long NAME(plane)(const Job *j) { return j->channels * j->block[2] + LANES; }

/* Transformed weights of a panel for one point; a line more, lest all points use the same ways of
 * the cache. */
INLINE long NAME(point)(const Job *j) { return MR * j->channels + 64 / (long)sizeof(T); }

/* Output channels that are multiplied before they are transformed back, in panels. */
INLINE long NAME(part)(const Job *j)
{
    const long most = PART_BYTES / (POINTS * MR * j->block[2] * (long)sizeof(T));
    return most < 1 ? 1 : most < j->panels ? most : j->panels;
}

static int NAME(winograd_plan)(Job *j)
{
    if (j->kernel[0] != 1 || j->size[0] != 1 || j->outputs[0] != 1 || j->start[0]) return 0;
    for (int a = 1; a < 3; a++)
        if (j->kernel[a] != 3 || j->stride[a] != 1 || j->dilation[a] != 1) return 0;
    j->panels = (j->per_group + MR - 1) / MR;
    j->prepared = j->groups * j->panels;
    const long vectors = NAME(tile_vectors)(j);
    long most = UNIT_BYTES / (POINTS * j->channels * VBYTES);
    if (most > MOST_TILES / LANES) most = MOST_TILES / LANES;
    if (most < NV) most = NV;
    long cuts = (vectors + most - 1) / most;
    if (cuts > 1) cuts += cuts % 2; /* for two threads, or more: the cuts are the same for any number */
    j->cuts[2] = cuts, j->units = j->batch * j->groups * cuts;
    j->block[2] = (vectors + cuts - 1) / cuts * LANES;
    j->shared_bytes = POINTS * j->groups * j->panels * NAME(point)(j) * (long)sizeof(T);
    j->own_bytes = (POINTS * (NAME(plane)(j) + NAME(part)(j) * MR * j->block[2]) + LANES) *
                       (long)sizeof(T) + j->channels * 8;
    return 1;
}

typedef T NAME(panel_row) __attribute__((vector_size(MR * sizeof(T)), aligned(sizeof(T))));

/* G g G' of the kernels of MR output channels, for each channel of x, one behind the other. */
static void NAME(winograd_prepare)(const Job *j, long u)
{
    const long group = u / j->panels, first = u % j->panels * MR, left = j->per_group - first;
    const long step = NAME(point)(j);
    T *to = (T *)j->shared + u * POINTS * step;
    const T *weight = (const T *)j->weight + (group * j->per_group + first) * j->depth;
    for (long c = 0; c < j->channels; c++, to += MR) {
        NAME(panel_row) g[3][3] = {{{0}}}, h[4][3];
        UNROLL for (int i = 0; i < 9; i++)
            UNROLL for (int m = 0; m < MR; m++)
                if (m < left) g[i / 3][i % 3][m] = weight[m * j->depth + c * 9 + i];
        UNROLL for (int i = 0; i < 3; i++) {
            const NAME(panel_row) ends = g[0][i] + g[2][i];
            h[0][i] = g[0][i] + g[0][i], h[3][i] = g[2][i] + g[2][i];
            h[1][i] = ends + g[1][i], h[2][i] = ends - g[1][i];
        }
        UNROLL for (int i = 0; i < 4; i++) {
            const NAME(panel_row) ends = h[i][0] + h[i][2];
            *(NAME(panel_row) *)(to + 4 * i * step) = h[i][0] + h[i][0];
            *(NAME(panel_row) *)(to + (4 * i + 1) * step) = ends + h[i][1];
            *(NAME(panel_row) *)(to + (4 * i + 2) * step) = ends - h[i][1];
            *(NAME(panel_row) *)(to + (4 * i + 3) * step) = h[i][2] + h[i][2];
        }
    }
}

/* B' d B of `n` tiles of a row, whose outputs begin at (oy, ox), of one channel, to `to` and every
 * `plane` values behind it. */
static void NAME(tiles_forth)(const Job *j, const T *x, long oy, long ox, long n, T *to, long plane)
{
    /* Sorted into the first columns of the tiles and their second; the others are their
     * neighbours'. */
    T cells[4][2 * (MOST_TILES + LANES + 1)];
    const long vectors = (n + LANES - 1) / LANES, odd = vectors * LANES + 1;
    for (int i = 0; i < 4; i++) {
        const long y = j->start[1] + oy + i;
        const int inside = y >= 0 && y < j->size[1];
        NAME(line)(inside ? x + y * j->step[3] : NULL, j->size[2], j->step[4],
                   j->start[2] + ox, 2 * odd, 2, cells[i]);
    }
    for (long v = 0; v < vectors; v++, to += LANES) {
        NAME(vector) rows[4][4];
        UNROLL for (int i = 0; i < 4; i++) {
            const long at = v * LANES + i / 2 + i % 2 * odd;
            const NAME(vector) d0 = LOAD(cells[0] + at), d1 = LOAD(cells[1] + at);
            const NAME(vector) d2 = LOAD(cells[2] + at), d3 = LOAD(cells[3] + at);
            rows[0][i] = d0 - d2, rows[1][i] = d1 + d2, rows[2][i] = d2 - d1, rows[3][i] = d1 - d3;
        }
        UNROLL for (int i = 0; i < 4; i++) {
            T *row = to + 4 * i * plane;
            STORE(row) = rows[i][0] - rows[i][2], STORE(row + plane) = rows[i][1] + rows[i][2];
            STORE(row + 2 * plane) = rows[i][2] - rows[i][1];
            STORE(row + 3 * plane) = rows[i][1] - rows[i][3];
        }
    }
}

/* A' m A / 4 + bias of `n` tiles, `m` and every `plane` values behind it, to the outputs from `to`
 * on, `rows` rows of `width`. Returns 0, or NaN if one of them is not finite. */
static T NAME(tiles_back)(const Job *j, const T *m, long plane, long n, T bias, T *to, long rows,
                          long width)
{
    T sums[2][2][MOST_TILES + LANES];
    NAME(vector) some = {0};
    T wrong = 0;
    for (long v = 0; v < n; v += LANES) {
        NAME(vector) s[2][4];
        UNROLL for (int i = 0; i < 4; i++) {
            const NAME(vector) m1 = LOAD(m + (4 + i) * plane + v), m2 = LOAD(m + (8 + i) * plane + v);
            s[0][i] = LOAD(m + i * plane + v) + m1 + m2;
            s[1][i] = m1 - m2 - LOAD(m + (12 + i) * plane + v);
        }
        UNROLL for (int i = 0; i < 2; i++) {
            const NAME(vector) left = (s[i][0] + s[i][1] + s[i][2]) * (T)0.25 + bias;
            const NAME(vector) right = (s[i][1] - s[i][2] - s[i][3]) * (T)0.25 + bias;
            STORE(&sums[i][0][v]) = left, STORE(&sums[i][1][v]) = right;
            if (v + LANES <= n) some += left * 0 + right * 0;
        }
    }
    for (long v = 0; v < LANES; v++) wrong += some[v];
    for (long v = n / LANES * LANES; v < n; v++)
        for (int i = 0; i < 4; i++) wrong += sums[i / 2][i % 2][v] * 0;
    for (int i = 0; i < rows; i++, to += j->out_step[3]) {
        const T *even = sums[i][0], *odd = sums[i][1];
        const long step = j->out_step[4];
        if (step == 1)
            for (long t = 0; t < width / 2; t++) to[2 * t] = even[t], to[2 * t + 1] = odd[t];
        else
            for (long t = 0; t < width / 2; t++)
                to[2 * t * step] = even[t], to[(2 * t + 1) * step] = odd[t];
        if (width % 2) to[(width - 1) * step] = even[width / 2];
    }
    return wrong;
}

/* `width` outputs of some rows from (oy, ox) on directly, in the order in which direct convolution adds. */
static void NAME(tiles_direct)(const Job *j, const T *x, const T *weight, long oy, long ox, T bias,
                               T *to, long rows, long width)
{
    for (long i = 0; i < rows; i++, to += j->out_step[3]) {
        T sums[2 * MOST_TILES], line[2 * MOST_TILES + 2];
        for (long k = 0; k < width; k++) sums[k] = bias;
        for (long c = 0; c < j->channels; c++)
            for (long t = 0; t < 3; t++) {
                const long y = j->start[1] + oy + i + t;
                const int inside = y >= 0 && y < j->size[1];
                NAME(line)(inside ? x + c * j->step[1] + y * j->step[3] : NULL, j->size[2],
                           j->step[4], j->start[2] + ox, width + 2, 1, line);
                for (long s = 0; s < 3; s++)
                    for (long k = 0; k < width; k++)
                        sums[k] += line[k + s] * weight[9 * c + 3 * t + s];
            }
        NAME(copy)(to, j->out_step[4], sums, width);
    }
}

/* A run of tiles of an image, in rows, and what they are computed in. */
typedef struct {
    long group, begin, end, padded; /* `padded` tiles: whole vectors */
    const T *x;
    T *out, *cells, *sums;
    int64_t *offsets;
} NAME(Tiles);

/* The tiles from `t` on that lie in one row: how many, and where their outputs are. */
static long NAME(in_row)(const Job *j, const NAME(Tiles) *u, long t, long *y, long *x, long *rows,
                         long *width)
{
    const long across = NAME(tiles)(j, 2), column = t % across;
    const long n = across - column < u->end - t ? across - column : u->end - t;
    *y = t / across * EDGE, *x = column * EDGE;
    *rows = j->outputs[1] - *y < EDGE ? j->outputs[1] - *y : EDGE;
    *width = j->outputs[2] - *x < EDGE * n ? j->outputs[2] - *x : EDGE * n;
    return n;
}

/* Products of the transformed cells with the panels `first` to `first + some`. */
static void NAME(multiply)(const Job *j, const NAME(Tiles) *u, long first, long some)
{
    const T zeros[MR] = {0};
    const long width = j->block[2], vectors = u->padded / LANES;
    for (long p = 0; p < POINTS; p++)
        for (long v = 0, nv; v < vectors; v += nv) {
            const long left = vectors - v;
            nv = left > NV ? (left == NV + 1 && NV == 3 ? 2 : NV) : left;
            const long panel = u->group * j->panels + first;
            const T *weights = (const T *)j->shared + (panel * POINTS + p) * NAME(point)(j);
            T *to = u->sums + p * NAME(part)(j) * MR * width + v * LANES;
            for (long q = 0; q < some; q++, weights += POINTS * NAME(point)(j), to += MR * width)
                NAME(panel)(nv, u->cells + p * NAME(plane)(j) + v * LANES, u->offsets, j->channels,
                            weights, zeros, to, width, MR);
        }
}

/* Output `channel` of the group from its products, `m` and those of the other points; or, without,
 * directly. Returns 0, or NaN if a value is not finite. */
static T NAME(channel)(const Job *j, const NAME(Tiles) *u, long channel, const T *m)
{
    const long output = u->group * j->per_group + channel;
    const T bias = j->bias ? ((const T *)j->bias)[output] : 0;
    T *out = u->out + channel * j->out_step[1], wrong = 0;
    for (long t = u->begin, n, y, x, rows, width; t < u->end; t += n) {
        n = NAME(in_row)(j, u, t, &y, &x, &rows, &width);
        T *to = out + y * j->out_step[3] + x * j->out_step[4];
        if (m)
            wrong += NAME(tiles_back)(j, m + t - u->begin, NAME(part)(j) * MR * j->block[2], n,
                                      bias, to, rows, width);
        else
            NAME(tiles_direct)(j, u->x, (const T *)j->weight + output * j->depth, y, x, bias, to,
                               rows, width);
    }
    return wrong;
}

static void NAME(winograd_perform)(const Job *j, long unit)
{
    const long cut = unit % j->cuts[2], which = unit / j->cuts[2];
    const long image = which / j->groups, group = which % j->groups;
    const long all = NAME(tiles)(j, 1) * NAME(tiles)(j, 2), vectors = NAME(tile_vectors)(j);
    const long plane = NAME(plane)(j), part = NAME(part)(j), width = j->block[2];
    const long begin = cut * vectors / j->cuts[2] * LANES;
    const long end = (cut + 1) * vectors / j->cuts[2] * LANES;
    T *cells = (T *)j->own, *sums = cells + POINTS * plane;
    const NAME(Tiles) u = {
        group, begin, end < all ? end : all, end - begin,
        (const T *)j->x + image * j->step[0] + group * j->channels * j->step[1],
        (T *)j->out + image * j->out_step[0] + group * j->per_group * j->out_step[1],
        cells, sums, (int64_t *)(sums + POINTS * part * MR * width + LANES),
    };
    for (long c = 0; c < j->channels; c++) {
        T *to = cells + c * u.padded;
        u.offsets[c] = c * u.padded;
        for (int p = 0; p < POINTS && u.end < end; p++)
            memset(to + p * plane + u.padded - LANES, 0, VBYTES);
        for (long t = begin, n, y, column, rows, columns; t < u.end; t += n) {
            n = NAME(in_row)(j, &u, t, &y, &column, &rows, &columns);
            NAME(tiles_forth)(j, u.x + c * j->step[1], y, column, n, to + t - begin, plane);
        }
    }
    T wrong = 0;
    for (long p = 0; p < j->panels; p += part) {
        const long last = (p + part) * MR < j->per_group ? (p + part) * MR : j->per_group;
        NAME(multiply)(j, &u, p, j->panels - p < part ? j->panels - p : part);
        for (long c = p * MR; c < last; c++)
            wrong += NAME(channel)(j, &u, c, sums + (c - p * MR) * width);
    }
    if (wrong != 0)
        for (long c = 0; c < j->per_group; c++) NAME(channel)(j, &u, c, NULL);
}

#undef EDGE
#undef POINTS
#undef UNIT_BYTES
#undef PART_BYTES
#undef MOST_TILES
