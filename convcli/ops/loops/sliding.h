/* Windows times weights for one type T and one instruction set. Included by tensors_isa.h with T,
 * NAME(x), MR (output channels at a time) and NV (vectors of cells at a time) defined.
 *
 * MR * NV sums live in registers; each tap costs NV loads of neighbouring cells and MR weights. */

typedef T NAME(vector) __attribute__((vector_size(VBYTES), aligned(sizeof(T))));

#define LANES ((long)(VBYTES / sizeof(T)))
#define LOAD(p) (*(const NAME(vector) *)(p))

/* The sums of `mr` channels over `nv` vectors of cells, to rows `step` apart from `to` on.
 * Channels beyond `count` repeat the last one: their sums are not kept. */
#define TILE(name, mr, nv)                                                                       \
    static inline __attribute__((always_inline)) void NAME(name)(                                \
        const T *cells, const int64_t *offsets, long depth, const T *weights, const T *bias,     \
        long count, T *to, long step)                                                            \
    {                                                                                            \
        NAME(vector) sums[mr][nv];                                                               \
        const T *w[mr];                                                                          \
        UNROLL for (int m = 0; m < (mr); m++) {                                                  \
            const long row = m < count ? m : count - 1;                                          \
            w[m] = weights + row * depth;                                                        \
            UNROLL for (int v = 0; v < (nv); v++) sums[m][v] = (NAME(vector)){0} + bias[row];    \
        }                                                                                        \
        for (long k = 0; k < depth; k++) {                                                       \
            const T *at = cells + offsets[k];                                                    \
            NAME(vector) x[nv];                                                                  \
            UNROLL for (int v = 0; v < (nv); v++) x[v] = LOAD(at + v * LANES);                   \
            UNROLL for (int m = 0; m < (mr); m++)                                                \
                UNROLL for (int v = 0; v < (nv); v++) sums[m][v] += x[v] * w[m][k];              \
        }                                                                                        \
        UNROLL for (int m = 0; m < (mr); m++)                                                    \
            if (m < count)                                                                       \
                UNROLL for (int v = 0; v < (nv); v++)                                            \
                    *(NAME(vector) *)(to + m * step + v * LANES) = sums[m][v];                   \
    }

TILE(wide, MR, NV)
TILE(thin, 1, NV1)

/* Cells `at` to `at + n` of a segment from the tile to their places; a segment is rows of `width`
 * outputs that lie `pitch` cells apart, and what lies between two rows is dropped. */
static void NAME(place)(const Job *job, const T *tile, T *out, long at, long n)
{
    long row = at / job->pitch, column = at % job->pitch;
    for (long i = 0; i < n;) {
        const long left = job->pitch - column, run = left < n - i ? left : n - i;
        const long real = job->width - column < run ? job->width - column : run;
        T *to = out + row * job->out_row + column * job->out_column;
        if (job->out_column == 1) {
            if (real > 0) memcpy(to, tile + i, (size_t)real * sizeof(T));
        } else
            for (long c = 0; c < real; c++) to[c * job->out_column] = tile[i + c];
        i += run, row++, column = 0;
    }
}

static void NAME(slide)(const Job *job)
{
    const long thin = job->per_group == 1, mr = thin ? 1 : MR, nr = (thin ? NV1 : NV) * LANES;
    const long length = (job->rows - 1) * job->pitch + job->width;
    const long panels = (job->per_group + mr - 1) / mr;
    T tile[(MR * NV > NV1 ? MR * NV : NV1) * LANES] __attribute__((aligned(64)));
    for (long image = 0; image < job->images; image++)
        for (long group = 0; group < job->groups; group++) {
            const T *x = (const T *)job->cells + image * job->image_step + group * job->group_step;
            T *y = (T *)job->out + image * job->out_image;
            for (long panel = 0; panel < panels; panel++) {
                const long first = panel * mr;
                const long count = job->per_group - first < mr ? job->per_group - first : mr;
                const long channel = group * job->per_group + first;
                const T *weights = (const T *)job->weights + channel * job->depth;
                const T *bias = (const T *)job->bias + channel;
                T *base = y + channel * job->out_channel;
                for (long s = 0; s < job->segments; s++)
                    for (long at = 0; at < length; at += nr) {
                        const long n = length - at < nr ? length - at : nr;
                        const T *cells = x + job->starts[s] + at;
                        const long row = at / job->pitch, column = at % job->pitch;
                        /* Within one row of the output the sums go straight to their places. */
                        const int whole = job->out_column == 1 && column + nr <= job->width;
                        T *to = whole ? base + job->out_starts[s] + row * job->out_row + column
                                      : tile;
                        const long step = whole ? job->out_channel : nr;
                        if (thin)
                            NAME(thin)(cells, job->offsets, job->depth, weights, bias, 1, to, step);
                        else
                            NAME(wide)(cells, job->offsets, job->depth, weights, bias, count, to,
                                       step);
                        for (long m = 0; m < count && !whole; m++)
                            NAME(place)(job, tile + m * nr,
                                        base + job->out_starts[s] + m * job->out_channel, at, n);
                    }
            }
        }
}

/* One line of cells `low` to `low + span` of x, zeros outside, sorted by remainder of `phases`. */
static void NAME(line)(const Filling *f, const T *x, T *to)
{
    const long phases = f->phases, part = (f->span[2] + phases - 1) / phases;
    const long low = f->low[2], size = f->size[2], step = f->step[4];
    if (!x) {
        memset(to, 0, (size_t)(phases * part) * sizeof(T));
        return;
    }
    if (phases == 1 && step == 1) {
        const long before = low < 0 ? (-low < part ? -low : part) : 0;
        const long end = low + part < size ? part : size - low;
        const long after = end > before ? end : before;
        memset(to, 0, (size_t)before * sizeof(T));
        memcpy(to + before, x + low + before, (size_t)(after - before) * sizeof(T));
        memset(to + after, 0, (size_t)(part - after) * sizeof(T));
        return;
    }
    for (long p = 0; p < phases; p++)
        for (long i = 0; i < part; i++) {
            const long at = low + p + i * phases;
            *to++ = at >= 0 && at < size && p + i * phases < f->span[2] ? x[at * step] : 0;
        }
}

static void NAME(fill)(const Filling *f)
{
    const long line = (f->span[2] + f->phases - 1) / f->phases * f->phases;
    T *to = f->to;
    for (long n = f->first; n < f->last; n++)
        for (long c = 0; c < f->channels; c++) {
            const T *plane = (const T *)f->x + n * f->step[0] + c * f->step[1];
            for (long z = f->low[0]; z < f->low[0] + f->span[0]; z++)
                for (long y = f->low[1]; y < f->low[1] + f->span[1]; y++, to += line) {
                    const int inside = z >= 0 && z < f->size[0] && y >= 0 && y < f->size[1];
                    NAME(line)(f, inside ? plane + z * f->step[2] + y * f->step[3] : NULL, to);
                }
        }
}

#undef TILE
#undef LOAD
#undef LANES
