/* Depthwise convolution for one type T: one channel of x in each group, row by row, from cells that
 * stay in the L1 cache. Included by tensors_isa.h. */

#define PLANE_BYTES (16L << 10)

static int NAME(depthwise_plan)(Job *j)
{
    if (j->channels != 1) return 0;
    j->panels = j->per_group;
    if (!NAME(cut)(j, j->batch * j->groups, PLANE_BYTES, NV1 * LANES)) return 0;
    j->own_bytes = ALIGNED(j->cells * (long)sizeof(T) + NV1 * VBYTES) + j->depth * 8;
    return 1;
}

/* `nv` vectors of outputs in each of two rows, `below` cells and `apart` outputs from each other: one
 * row alone has too few sums to keep the units busy. The last vector begins at `last`. */
#define PAIR(nv)                                                                                   \
    INLINE void NAME(pair##nv)(const T *cells, long below, const int64_t *offsets, long depth,     \
                               const T *weights, T begin, T *to, long apart, long last)            \
    {                                                                                              \
        NAME(vector) up[nv], down[nv];                                                             \
        UNROLL for (int v = 0; v < (nv); v++) up[v] = down[v] = (NAME(vector)){0} + begin;         \
        for (long k = 0; k < depth; k++) {                                                         \
            const T *at = cells + offsets[k], weight = weights[k];                                 \
            UNROLL for (int v = 0; v < (nv); v++) {                                                \
                const long place = v == (nv) - 1 ? last : v * LANES;                               \
                up[v] += LOAD(at + place) * weight, down[v] += LOAD(at + below + place) * weight;  \
            }                                                                                      \
        }                                                                                          \
        UNROLL for (int v = 0; v < (nv); v++) {                                                    \
            const long place = v == (nv) - 1 ? last : v * LANES;                                   \
            STORE(to + place) = up[v], STORE(to + apart + place) = down[v];                        \
        }                                                                                          \
    }
PAIR(1) PAIR(2) PAIR(3) PAIR(4)

/* `n` outputs of two rows; the last vector reaches back into the one before. */
static void NAME(depthwise_pair)(const Job *j, const T *cells, long below, const int64_t *offsets,
                                 const T *weights, T bias, T *to, long apart, long n)
{
    const long total = (n + LANES - 1) / LANES, parts = (total + 3) / 4;
    for (long part = 0; part < parts; part++) {
        const long v = part * total / parts, end = (part + 1) * total / parts;
        const long last = (end == total ? n : end * LANES) - LANES - v * LANES;
        const T *from = cells + v * LANES;
        T *out = to + v * LANES;
        switch (end - v) {
#define CASE(nv) case nv: NAME(pair##nv)(from, below, offsets, j->depth, weights, bias, out, apart, last); break;
        CASE(1) CASE(2) CASE(3) CASE(4)
#undef CASE
        }
    }
}

/* `n` outputs of a row that is shorter than a vector, or whose outputs do not lie side by side. */
static void NAME(depthwise_row)(const Job *j, const T *cells, const int64_t *offsets,
                                const T *weights, const T *bias, T *to, long n)
{
    T sums[NV1 * LANES];
    for (long at = 0; at < n; at += NV1 * LANES) {
        const long some = n - at < NV1 * LANES ? n - at : NV1 * LANES;
        for (long v = 0; v * LANES < some;)
            v += NAME(thin)((some - v * LANES + LANES - 1) / LANES, cells + at + v * LANES,
                            offsets, j->depth, weights, bias, sums + v * LANES);
        NAME(copy)(to + at * j->out_step[4], j->out_step[4], sums, some);
    }
}

static void NAME(depthwise_perform)(const Job *j, long u)
{
    long at[3], count[3], low[3], span[3];
    const long which = NAME(locate)(j, u, at, count, low, span);
    const long image = which / j->groups, group = which % j->groups;
    const long line = quotient(span[2], j->stride[2]) * j->stride[2];
    T *cells = (T *)j->own;
    int64_t *offsets = (int64_t *)(j->own + ALIGNED(j->cells * (long)sizeof(T) + NV1 * VBYTES));
    NAME(fill)(j, (const T *)j->x + image * j->step[0] + group * j->step[1], 1, low, span, cells);
    memset(cells + span[0] * span[1] * line, 0, NV1 * VBYTES); /* read, and dropped */
    NAME(offsets_of_taps)(j, span, line, 1, offsets);
    for (long m = 0; m < j->per_group; m++) {
        const long channel = group * j->per_group + m;
        const T *weights = (const T *)j->weight + channel * j->depth;
        const T bias = j->bias ? ((const T *)j->bias)[channel] : 0;
        T *out = (T *)j->out + image * j->out_step[0] + channel * j->out_step[1];
        for (long z = 0; z < count[0]; z++)
            for (long y = 0; y < count[1]; y += 2) {
                const T *from = cells + (z * j->stride[0] * span[1] + y * j->stride[1]) * line;
                T *to = out + (at[0] + z) * j->out_step[2] + (at[1] + y) * j->out_step[3] +
                        at[2] * j->out_step[4];
                /* The last row may have none below: it is its own pair. */
                const int two = y + 1 < count[1];
                const long below = two * j->stride[1] * line, apart = two * j->out_step[3];
                if (j->out_step[4] == 1 && count[2] >= LANES) {
                    NAME(depthwise_pair)(j, from, below, offsets, weights, bias, to, apart, count[2]);
                    continue;
                }
                for (int i = 0; i <= two; i++)
                    NAME(depthwise_row)(j, from + i * below, offsets, weights, &bias, to + i * apart,
                                        count[2]);
            }
    }
}

#undef PAIR
#undef PLANE_BYTES
