/* Direct convolution for one type T: blocks of cells that stay in the L2 cache, and of those tiles
 * of windows that stay in L1, each multiplied with all panels of weights (Goto and van de Geijn
 * 2008). Included by tensors_isa.h.
 *
 * Every tap is one offset into the block, so rank, dilation and padding do not matter here. A sum
 * adds its terms in the order of the weights, whatever the cuts: the results depend on none. */

#define CELL_BYTES (256L << 10) /* of a block: a share of the L2 cache */
#define TILE_BYTES (16L << 10)

/* Output channels that are summed together: those of panels that are filled best. */
INLINE long NAME(rows_of_panel)(const Job *j)
{
    const long few = quotient(j->per_group, FEW) * FEW, full = quotient(j->per_group, MR) * MR;
    return j->per_group == 1 ? 1 : few < full ? FEW : MR;
}

/* Cells of a tile's row. */
INLINE long NAME(tile_width)(const Job *j) { return (j->per_group == 1 ? NV1 : NV) * LANES; }

/* Whether tiles are copied: of x itself, whose channels lie so far apart that they would share a few
 * sets of the cache. Those of a block are read where they are, which measured 15 % faster. */
INLINE int NAME(copied)(const Job *j) { return !j->cells; }

/* Terms that are added before the sums are put aside. */
INLINE long NAME(terms)(const Job *j)
{
    const long most = TILE_BYTES / (NAME(tile_width)(j) * (long)sizeof(T));
    return NAME(copied)(j) && j->depth > most ? most : j->depth;
}

/* Cells that a block of outputs sees in all channels of a group; -1 if they cannot be counted. */
static long NAME(count_cells)(Job *j, const long *block)
{
    int64_t cells = j->channels, before;
    for (int a = 0; a < 3; a++) {
        int64_t span = 1 + (int64_t)j->dilation[a] * (j->kernel[a] - 1);
        if (!add(&span, block[a] - 1, j->stride[a])) return -1;
        j->span[a] = (long)span;
        if (a == 2) span = (span + j->stride[2] - 1) / j->stride[2] * j->stride[2];
        j->line = (long)span;
        before = cells, cells = 0;
        if (!add(&cells, before, span) || cells > FAR) return -1;
    }
    return (long)cells;
}

/* Cut the outputs into blocks of at most `bytes` of cells, and at least `pieces` in all; rows no
 * shorter than `width`. */
static int NAME(cut)(Job *j, long images, long bytes, long width)
{
    long *block = j->block;
    for (int a = 0; a < 3; a++) block[a] = j->outputs[a];
    for (;;) {
        const long cells = NAME(count_cells)(j, block);
        long units = images;
        for (int a = 0; a < 3; a++) {
            j->cuts[a] = (j->outputs[a] + block[a] - 1) / block[a];
            units *= j->cuts[a];
        }
        const int large = cells < 0 || cells > bytes / (long)sizeof(T);
        int axis = 0;
        while (axis < 2 && block[axis] == 1) axis++;
        const int last = axis == 2 && block[2] <= width;
        if (last || (!large && units >= j->pieces)) {
            j->units = units, j->cells = cells;
            return cells >= 0;
        }
        block[axis] = (block[axis] + 1) / 2;
        if (axis == 2) block[2] = (block[2] + width - 1) / width * width;
    }
}

static int NAME(direct_plan)(Job *j)
{
    const long mr = NAME(rows_of_panel)(j), width = NAME(tile_width)(j);
    j->panels = (j->per_group + mr - 1) / mr;
    j->prepared = j->groups * j->panels;
    j->shared_bytes = ALIGNED(j->groups * j->panels * mr * j->depth * (long)sizeof(T));
    if (!NAME(cut)(j, j->batch * j->groups, CELL_BYTES, width)) return 0;
    int in_place = j->step[4] == 1 && j->size[0] == 1 && j->size[1] == 1;
    for (int a = 0; a < 3; a++)
        in_place &= j->kernel[a] == 1 && j->stride[a] == 1 && !j->start[a] &&
                    j->outputs[a] == j->size[a];
    if (in_place) j->cells = 0;
    const long terms = NAME(terms)(j);
    j->own_bytes = ALIGNED(j->cells * (long)sizeof(T) + NV1 * VBYTES) + ALIGNED(j->depth * 8) +
                   ALIGNED(terms * 8) + (terms + j->panels * mr) * width * (long)sizeof(T);
    return 1;
}

static void NAME(direct_prepare)(const Job *j, long u)
{
    const long mr = NAME(rows_of_panel)(j), group = u / j->panels, first = u % j->panels * mr;
    const long left = j->per_group - first;
    NAME(pack)((const T *)j->weight + (group * j->per_group + first) * j->depth, j->depth,
               left < mr ? left : mr, mr, (T *)j->shared + u * mr * j->depth);
}

/* A row of windows: where its cells and outputs are. Outputs of several rows can lie in one, the
 * cells between them computed in vain: `width` outputs at every `pitch` cells. */
typedef struct {
    const T *cells, *weights, *bias;
    T *out, *tile, *sums;
    const int64_t *offsets, *tile_offsets;
    long length, width, pitch, out_row;
} NAME(Row);

/* The sums of a tile to the places of its outputs. */
static void NAME(place)(const Job *j, const NAME(Row) *r, long at, long n)
{
    const long step = NAME(tile_width)(j);
    long row = at / r->pitch, column = at % r->pitch;
    for (long i = 0; i < n; row++, column = 0) {
        const long left = r->pitch - column, run = left < n - i ? left : n - i;
        const long real = r->width - column < run ? r->width - column : run;
        T *to = r->out + row * r->out_row + column * j->out_step[4];
        if (real > 0)
            for (long m = 0; m < j->per_group; m++)
                NAME(copy)(to + m * j->out_step[1], j->out_step[4], r->sums + m * step + i, real);
        i += run;
    }
}

/* The windows `at` to `at + n` of a row, in `nv` vectors, for all channels of the group. */
static void NAME(tile)(const Job *j, const NAME(Row) *r, long at, long n, long nv)
{
    const long mr = NAME(rows_of_panel)(j), width = NAME(tile_width)(j), terms = NAME(terms)(j);
    const long column = at % r->pitch;
    const int whole = terms == j->depth && j->out_step[4] == 1 && nv * LANES <= n &&
                      column + n <= r->width;
    T *to = whole ? r->out + at / r->pitch * r->out_row + column : r->sums;
    const long step = whole ? j->out_step[1] : width;
    for (long k = 0; k < j->depth; k += terms) {
        const long count = j->depth - k < terms ? j->depth - k : terms;
        const T *cells = r->cells + at;
        const int64_t *offsets = r->offsets + k;
        if (NAME(copied)(j)) {
            /* In place nothing behind the last cell may be read. */
            const long read = j->cells || nv * LANES < n ? nv * LANES : n;
            for (long i = 0; i < count; i++) {
                T *row = r->tile + i * width;
                if (read == nv * LANES)
                    for (long v = 0; v < nv; v++) STORE(row + v * LANES) = LOAD(cells + offsets[i] + v * LANES);
                else {
                    memset(row, 0, (size_t)(nv * LANES) * sizeof(T));
                    memcpy(row, cells + offsets[i], (size_t)read * sizeof(T));
                }
            }
            cells = r->tile, offsets = r->tile_offsets;
        }
        for (long p = 0; p < j->panels; p++) {
            const long first = p * mr, left = j->per_group - first;
            const T *weights = r->weights + first * j->depth + k * mr;
            T begin[MR] = {0};
            for (long m = 0; m < mr && m < left && r->bias; m++) begin[m] = r->bias[first + m];
            T *sums = to + first * step;
            if (mr > 1)
                PANEL_OF(mr)(nv, cells, offsets, count, weights, k ? NULL : begin, sums, step,
                             left < mr ? left : mr);
            else
                for (long v = 0; v < nv;)
                    v += NAME(thin)(nv - v, cells + v * LANES, offsets, count, weights,
                                    k ? NULL : begin, sums + v * LANES);
        }
    }
    if (!whole) NAME(place)(j, r, at, n);
}

static void NAME(row)(const Job *j, const NAME(Row) *r)
{
    const long most = NAME(tile_width)(j) / LANES;
    for (long at = 0; at < r->length;) {
        const long left = (r->length - at + LANES - 1) / LANES;
        /* Two and two, not three and one: one vector has too few sums to keep the units busy. */
        const long nv = left > most ? (left == most + 1 && most == 3 ? 2 : most) : left;
        const long n = nv * LANES < r->length - at ? nv * LANES : r->length - at;
        NAME(tile)(j, r, at, n, nv);
        at += n;
    }
}

static void NAME(direct_perform)(const Job *j, long u)
{
    long at[3], count[3], low[3], span[3];
    const long which = NAME(locate)(j, u, at, count, low, span);
    const long image = which / j->groups, group = which % j->groups;
    const long phases = j->stride[2], mr = NAME(rows_of_panel)(j), width = NAME(tile_width)(j);
    const long line = quotient(span[2], phases) * phases, terms = NAME(terms)(j);
    const T *x = (const T *)j->x + image * j->step[0] + group * j->channels * j->step[1];
    T *cells = (T *)j->own;
    int64_t *offsets = (int64_t *)(j->own + ALIGNED(j->cells * (long)sizeof(T) + NV1 * VBYTES));
    int64_t *tile_offsets = offsets + ALIGNED(j->depth * 8) / 8;
    T *tile = (T *)(tile_offsets + ALIGNED(terms * 8) / 8);
    for (long k = 0; k < terms; k++) tile_offsets[k] = k * width;
    NAME(Row) r = {
        .cells = cells, .offsets = offsets, .tile_offsets = tile_offsets,
        .tile = tile, .sums = tile + terms * width,
        .weights = (const T *)j->shared + group * j->panels * mr * j->depth,
        .bias = j->bias ? (const T *)j->bias + group * j->per_group : NULL,
    };
    if (j->cells) {
        NAME(fill)(j, x, j->channels, low, span, cells);
        const long used = j->channels * span[0] * span[1] * line;
        memset(cells + used, 0, NV1 * VBYTES); /* read by whole vectors, and dropped */
        NAME(offsets_of_taps)(j, span, line, j->channels, offsets);
    } else {
        r.cells = x + low[2];
        for (long c = 0; c < j->channels; c++) offsets[c] = c * j->step[1];
    }
    T *out = (T *)j->out + image * j->out_step[0] + group * j->per_group * j->out_step[1] +
             at[0] * j->out_step[2] + at[1] * j->out_step[3] + at[2] * j->out_step[4];
    const long together = ((count[1] - 1) * line + count[2] + LANES - 1) / LANES;
    const int joined = j->stride[1] == 1 && together < count[1] * ((count[2] + LANES - 1) / LANES);
    r.width = count[2], r.pitch = joined ? line : count[2], r.out_row = j->out_step[3];
    r.length = joined ? (count[1] - 1) * line + count[2] : count[2];
    const T *first = r.cells;
    for (long z = 0; z < count[0]; z++)
        for (long y = 0; y < (joined ? 1 : count[1]); y++) {
            r.cells = first + (z * j->stride[0] * span[1] + y * j->stride[1]) * line;
            r.out = out + z * j->out_step[2] + y * j->out_step[3];
            NAME(row)(j, &r);
        }
}

#undef CELL_BYTES
#undef TILE_BYTES
