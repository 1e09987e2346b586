/* Cells of x copied with their padding, for one type T. Included by tensors_isa.h with T and
 * NAME(x) defined. */

/* `n` cells that lie `far` apart. Lines are short: a call of memcpy takes as long as the copy. */
INLINE void NAME(gather)(const T *from, long far, long n, T *to)
{
    if (far == 1 && n >= LANES) {
        for (long i = 0; i + LANES <= n; i += LANES) STORE(to + i) = LOAD(from + i);
        STORE(to + n - LANES) = LOAD(from + n - LANES);
    } else if (far == 2)
        for (long i = 0; i < n; i++) to[i] = from[2 * i];
    else
        for (long i = 0; i < n; i++) to[i] = from[i * far];
}

/* Cells `low` to `low + span` of a line of x, zeros outside, sorted by remainder of `phases`:
 * windows next to each other then read cells next to each other. NULL is a line of zeros. */
INLINE void NAME(line_inline)(const T *x, long size, long step, long low, long span, long phases,
                              T *to)
{
    const long part = quotient(span, phases);
    if (!x) {
        memset(to, 0, (size_t)(phases * part) * sizeof(T));
        return;
    }
    for (long p = 0; p < phases; p++, to += part) {
        /* Cells first + i * phases, of which those from `begin` to `end` are there. */
        const long first = low + p, many = p < span ? quotient(span - p, phases) : 0;
        long begin = first < 0 ? quotient(-first, phases) : 0;
        long end = first < size ? quotient(size - first, phases) : 0;
        if (end > many) end = many;
        if (begin > end) begin = end;
        if (part >= LANES && begin <= LANES && part - end <= LANES) /* then written over */
            STORE(to) = STORE(to + part - LANES) = (NAME(vector)){0};
        else
            memset(to, 0, (size_t)begin * sizeof(T)),
                memset(to + end, 0, (size_t)(part - end) * sizeof(T));
        if (begin < end)
            NAME(gather)(x + (first + begin * phases) * step, phases * step, end - begin, to + begin);
    }
}

static void NAME(line)(const T *x, long size, long step, long low, long span, long phases, T *to)
{
    NAME(line_inline)(x, size, step, low, span, phases, to);
}

/* The cells from `low` on, `span` on each axis, of `channels` channels that begin at x. */
static void NAME(fill)(const Job *j, const T *x, long channels, const long *low, const long *span,
                       T *to)
{
    const long phases = j->stride[2], line = quotient(span[2], phases) * phases;
    for (long c = 0; c < channels; c++, x += j->step[1])
        for (long z = low[0]; z < low[0] + span[0]; z++)
            for (long y = low[1]; y < low[1] + span[1]; y++, to += line) {
                const int inside = z >= 0 && z < j->size[0] && y >= 0 && y < j->size[1];
                const T *from = inside ? x + z * j->step[2] + y * j->step[3] : NULL;
                if (phases == 1) /* mostly, and then where lines begin and end is the same for all */
                    NAME(line_inline)(from, j->size[2], j->step[4], low[2], span[2], 1, to);
                else
                    NAME(line)(from, j->size[2], j->step[4], low[2], span[2], phases, to);
            }
}

/* Unit `u` is image, group or channel, and a block of outputs: its lowest output on each axis, how
 * many there are, and the first cell and the cells that they see. Returns image * groups + group. */
static long NAME(locate)(const Job *j, long u, long *at, long *count, long *low, long *span)
{
    for (int a = 2; a >= 0; a--) {
        at[a] = u % j->cuts[a] * j->block[a], u /= j->cuts[a];
        count[a] = j->outputs[a] - at[a] < j->block[a] ? j->outputs[a] - at[a] : j->block[a];
        low[a] = j->start[a] + at[a] * j->stride[a];
        span[a] = (count[a] - 1) * j->stride[a] + j->dilation[a] * (j->kernel[a] - 1) + 1;
    }
    return u;
}

/* Where each tap reads, from the place where a window begins; `plane` is a channel's cells. */
static void NAME(offsets_of_taps)(const Job *j, const long *span, long line, long channels,
                              int64_t *offsets)
{
    const long phases = j->stride[2], part = line / phases, plane = span[0] * span[1] * line;
    for (long c = 0; c < channels; c++)
        for (long z = 0; z < j->kernel[0]; z++)
            for (long y = 0; y < j->kernel[1]; y++)
                for (long x = 0; x < j->kernel[2]; x++) {
                    const long column = x * j->dilation[2];
                    *offsets++ = c * plane +
                                 (z * j->dilation[0] * span[1] + y * j->dilation[1]) * line +
                                 column % phases * part + column / phases;
                }
}

/* `n` values from a tile to a row of the output. */
INLINE void NAME(copy)(T *to, long step, const T *from, long n)
{
    if (step == 1)
        memcpy(to, from, (size_t)n * sizeof(T));
    else
        for (long i = 0; i < n; i++) to[i * step] = from[i];
}
