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

/* `n` outputs of a row. The last vector is one of those before it, as far as it reaches back. */
static void NAME(depthwise_row)(const Job *j, const T *cells, const int64_t *offsets,
                                const T *weights, const T *bias, T *to, long n)
{
    const long whole = n / LANES;
    if (j->out_step[4] != 1 || !whole) {
        T sums[NV1 * LANES];
        for (long at = 0; at < n; at += NV1 * LANES) {
            const long some = n - at < NV1 * LANES ? n - at : NV1 * LANES;
            for (long v = 0; v * LANES < some;)
                v += NAME(thin)((some - v * LANES + LANES - 1) / LANES, cells + at + v * LANES,
                                offsets, j->depth, weights, bias, sums + v * LANES);
            NAME(copy)(to + at * j->out_step[4], j->out_step[4], sums, some);
        }
        return;
    }
    for (long v = 0; v < whole;)
        v += NAME(thin)(whole - v, cells + v * LANES, offsets, j->depth, weights, bias,
                        to + v * LANES);
    if (n % LANES)
        NAME(thin)(1, cells + n - LANES, offsets, j->depth, weights, bias, to + n - LANES);
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
            for (long y = 0; y < count[1]; y++)
                NAME(depthwise_row)(
                    j, cells + (z * j->stride[0] * span[1] + y * j->stride[1]) * line, offsets,
                    weights, &bias,
                    out + (at[0] + z) * j->out_step[2] + (at[1] + y) * j->out_step[3] +
                        at[2] * j->out_step[4],
                    count[2]);
    }
}

#undef PLANE_BYTES
