/* Gradient for the weights of a convolution for one type T: windows of x times the output's
 * gradient, summed over all windows. Included by tensors_isa.h.
 *
 * Windows are taken a block at a time: rows of outputs, of several images where they are short.
 * Sums of a block live in registers and are then added to the totals, so that rounding grows with
 * the length of a block and the number of blocks, not with their product. The cuts depend on
 * shapes alone, and every weight is summed by one thread: the bits do not depend on threads. */

typedef T NAME(lanes) __attribute__((vector_size(VBYTES), aligned(sizeof(T))));
typedef __typeof__((NAME(lanes)){0} < (NAME(lanes)){0}) NAME(mask);

#define LANES ((long)(VBYTES / sizeof(T)))
#define PANEL (2 * LANES) /* output channels that are summed beside each other */
#define READ(p) (*(const NAME(lanes) *)(p))

/* Sums of PANEL output channels for TAPS cells of the window: `grad` holds the channels of one
 * window behind those of the one before, so that strides and short rows cost nothing. */
static void NAME(outer_tile)(const Rows *rows, const T *cells, const int64_t *taps, const T *grad, T *totals)
{
    NAME(lanes) sums[TAPS][2];
    UNROLL for (int k = 0; k < TAPS; k++) sums[k][0] = sums[k][1] = (NAME(lanes)){0};
    for (long r = 0; r < rows->count; r++) {
        const T *x[TAPS];
        UNROLL for (int k = 0; k < TAPS; k++) x[k] = cells + rows->starts[r] + taps[k];
        for (long i = 0, at = 0; i < rows->width; i++, at += rows->along, grad += PANEL) {
            const NAME(lanes) low = READ(grad), high = READ(grad + LANES);
            UNROLL for (int k = 0; k < TAPS; k++) {
                const T cell = x[k][at];
                sums[k][0] += low * cell;
                sums[k][1] += high * cell;
            }
        }
    }
    UNROLL for (int k = 0; k < TAPS; k++) {
        *(NAME(lanes) *)(totals + k * PANEL) += sums[k][0];
        *(NAME(lanes) *)(totals + k * PANEL + LANES) += sums[k][1];
    }
}

/* Sums of one output channel for DOTS cells of the window, many windows at a time: for few
 * channels in a group. What lies behind a row is masked: it may be infinite. */
static void NAME(inner_tile)(const Rows *rows, const T *cells, const int64_t *taps, const T *grad, T *totals)
{
    const long full = rows->width / LANES * LANES, tail = rows->width - full;
    NAME(lanes) sums[DOTS], number;
    for (long i = 0; i < LANES; i++) number[i] = (T)i;
    const NAME(mask) real = number < (NAME(lanes)){0} + (T)tail;
    UNROLL for (int k = 0; k < DOTS; k++) sums[k] = (NAME(lanes)){0};
    for (long r = 0; r < rows->count; r++) {
        const T *x[DOTS];
        UNROLL for (int k = 0; k < DOTS; k++) x[k] = cells + rows->starts[r] + taps[k];
        for (long i = 0; i < full; i += LANES, grad += LANES)
            UNROLL for (int k = 0; k < DOTS; k++) sums[k] += READ(grad) * READ(x[k] + i);
        if (tail) {
            UNROLL for (int k = 0; k < DOTS; k++)
                sums[k] += READ(grad) * (NAME(lanes))((NAME(mask))READ(x[k] + full) & real);
            grad += LANES;
        }
    }
    UNROLL for (int k = 0; k < DOTS; k++) {
        T sum = 0;
        for (long i = 0; i < LANES; i++) sum += sums[k][i];
        totals[k] += sum;
    }
}

/* The cells of one channel that a block sees, and where its rows begin; returns how many. Without
 * memory they are only counted. */
static long NAME(block_cells)(const Gradient *g, const T *x, Rows *rows, T *to)
{
    const long span = (rows->width - 1) * g->stride[2] + g->reach[2];
    const long low = g->start[2] + rows->column * g->stride[2];
    const long line = (span + g->phases - 1) / g->phases * g->phases, last = rows->first + rows->count;
    long used = 0, run;
    for (long row = rows->first; row < last; row += run) {
        const long y = row % g->outputs[1], plane = row / g->outputs[1];
        const long z = plane % g->outputs[0], n = plane / g->outputs[0];
        run = g->outputs[1] - y < last - row ? g->outputs[1] - y : last - row;
        const long lines = (run - 1) * g->stride[1] + g->reach[1];
        /* Planes of all runs lie equally far apart, so that a tap is one offset. */
        const long far = (g->reach[0] > 1 ? g->lines : lines) * line;
        for (long i = 0; i < run; i++) rows->starts[row - rows->first + i] = used + i * g->stride[1] * line;
        for (long dz = 0; dz < g->reach[0]; dz++, used += far)
            for (long dy = 0; dy < lines && to; dy++) {
                const long at_z = z * g->stride[0] + g->start[0] + dz;
                const long at_y = y * g->stride[1] + g->start[1] + dy;
                const int inside = at_z >= 0 && at_z < g->size[0] && at_y >= 0 && at_y < g->size[1];
                NAME(line)(inside ? x + n * g->step[0] + at_z * g->step[2] + at_y * g->step[3] : NULL,
                           g->size[2], g->step[4], low, span, g->phases, to + used + dy * line);
            }
    }
    return used;
}

/* Where the rows of a block begin in x itself. */
static void NAME(block_starts)(const Gradient *g, Rows *rows)
{
    for (long r = 0; r < rows->count; r++) {
        const long row = rows->first + r, plane = row / g->outputs[1];
        rows->starts[r] = plane / g->outputs[0] * g->step[0] +
                          (plane % g->outputs[0] * g->stride[0] + g->start[0]) * g->step[2] +
                          (row % g->outputs[1] * g->stride[1] + g->start[1]) * g->step[3] +
                          (rows->column * g->stride[2] + g->start[2]) * g->step[4];
    }
}

/* Offsets of the taps of `count` channels that lie `far` apart; those of a last tile that is not
 * full repeat one, and their sums are not kept. */
static void NAME(tap_offsets)(const Gradient *g, const Rows *rows, long count, long far, int64_t *taps)
{
    const long span = (rows->width - 1) * g->stride[2] + g->reach[2];
    const long part = (span + g->phases - 1) / g->phases, line = part * g->phases;
    const long lines = g->reach[0] > 1 ? g->lines : 0;
    int64_t *to = taps;
    for (long c = 0; c < count; c++)
        for (long z = 0; z < g->kernel[0]; z++)
            for (long y = 0; y < g->kernel[1]; y++)
                for (long i = 0; i < g->kernel[2]; i++) {
                    const long dz = z * g->dilation[0], dy = y * g->dilation[1], dx = i * g->dilation[2];
                    *to++ = c * far + (g->in_place ? dz * g->step[2] + dy * g->step[3] + dx * g->step[4]
                                                   : dz * lines * line + dy * line +
                                                         dx % g->phases * part + dx / g->phases);
                }
    for (; (to - taps) % g->at_once; to++) *to = taps[0];
}

/* Lines that lie `far` apart, each a full panel's channel, beside each other. */
static void NAME(beside)(const T *from, long far, long width, T *restrict to)
{
    for (long i = 0; i < width; i++)
        UNROLL for (int o = 0; o < PANEL; o++) to[i * PANEL + o] = from[o * far + i];
}

/* The output's gradient in a block, of channels `channel` to `channel + count`, in the order in
 * which `outer` (many beside each other) or `inner` reads it. */
static void NAME(pack_grad)(const Gradient *g, const Rows *rows, long channel, long count, T *to)
{
    const long step = g->grad_step[4], beside = g->beside;
    const long padded = beside > 1 ? rows->width : (rows->width + LANES - 1) / LANES * LANES;
    const T *grad = (const T *)g->grad + channel * g->grad_step[1] + rows->column * step;
    for (long r = 0; r < rows->count; r++, to += padded * beside) {
        const long row = rows->first + r, plane = row / g->outputs[1];
        const T *from = grad + plane / g->outputs[0] * g->grad_step[0] +
                        plane % g->outputs[0] * g->grad_step[2] + row % g->outputs[1] * g->grad_step[3];
        if (beside > 1 && count >= beside && step == 1)
            NAME(beside)(from, g->grad_step[1], rows->width, to);
        else if (beside == 1 && step == 1)
            memcpy(to, from, (size_t)rows->width * sizeof(T));
        else
            for (long o = 0; o < beside; o++) {
                const T *line = from + o * g->grad_step[1];
                for (long i = 0; i < rows->width; i++)
                    to[i * beside + o] = o < count ? line[i * step] : 0;
            }
        for (long i = rows->width; i < padded; i++) to[i] = 0;
    }
}

/* Plan the share of a call; returns the bytes of memory that it needs, or -1. */
static long NAME(gradient_plan)(Gradient *g)
{
    const long taps = g->kernel[0] * g->kernel[1] * g->kernel[2], few = g->per_group < LANES;
    const long total = g->batch * g->outputs[0] * g->outputs[1];
    g->beside = few ? 1 : PANEL, g->at_once = few ? DOTS : TAPS, g->phases = few ? g->stride[2] : 1;
    share_out(g, g->beside);
    const long positions = GRAD_BYTES / (g->beside * (long)sizeof(T));
    g->width = g->outputs[2] < positions ? g->outputs[2] : positions;
    g->rows = positions / g->width < total ? positions / g->width : total;
    g->lines = ((g->rows < g->outputs[1] ? g->rows : g->outputs[1]) - 1) * g->stride[1] + g->reach[1];
    g->in_place = !few;
    for (int a = 0; a < 3; a++)
        if (g->start[a] < 0 || g->start[a] + (g->outputs[a] - 1) * g->stride[a] + g->reach[a] > g->size[a])
            g->in_place = 0;
    g->along = g->in_place ? g->stride[2] * g->step[4] : few ? 1 : g->stride[2];
    /* Rows of a block lie in as many runs at most; the lines of runs overlap where windows do. */
    const long span = (g->width - 1) * g->stride[2] + g->reach[2] + g->phases;
    const long ys = g->rows < g->outputs[1] ? g->rows : g->outputs[1];
    const long runs = g->rows / g->outputs[1] + 2 < g->rows ? g->rows / g->outputs[1] + 2 : g->rows;
    int64_t lines = 0, cells = 0, room = 0, all = 0;
    if (!add(&lines, ys - 1, g->stride[1]) || !add(&lines, 1, g->reach[1]) || !add(&cells, lines, span) ||
        !add(&room, runs, cells) || !add(&all, room, g->reach[0]))
        return -1;
    g->room = g->in_place ? 0 : (long)all;
    const long channels = g->inputs[1] - g->inputs[0];
    g->chunk = g->room ? CHUNK_BYTES / (long)sizeof(T) / g->room : CHUNK_BYTES / GRAD_BYTES * g->at_once;
    if (g->chunk > g->at_once) g->chunk -= g->chunk % g->at_once;
    if (g->chunk > channels) g->chunk = channels;
    if (g->chunk < 1) g->chunk = 1;
    g->tiles = (g->chunk * taps + g->at_once - 1) / g->at_once;
    const long panels = (g->outs[1] - g->outs[0] + g->beside - 1) / g->beside;
    const long chunks = (channels + g->chunk - 1) / g->chunk;
    int64_t sums = 0, need = g->rows + g->tiles * g->at_once, values = 0, bytes = 0;
    if (!add(&sums, chunks, g->tiles) || !add(&values, sums, panels * g->beside * g->at_once) ||
        !add(&values, panels * g->rows, (g->width + LANES) * g->beside) ||
        !add(&values, g->chunk, g->room) || !add(&values, LANES, 4) ||
        !add(&bytes, values, sizeof(T)) || !add(&bytes, need, 8))
        return -1;
    return (long)bytes;
}

/* Add what one block of windows gives to the totals, [panel][chunk][tap][beside]. */
static void NAME(add_block)(const Gradient *g, long group, Rows *rows, int64_t *taps, T *totals, T *grads, T *memory)
{
    const long chunks = (g->inputs[1] - g->inputs[0] + g->chunk - 1) / g->chunk;
    const long panels = (g->outs[1] - g->outs[0] + g->beside - 1) / g->beside;
    const long packed = g->rows * (g->width + LANES) * g->beside, tile = g->at_once * g->beside;
    for (long p = 0; p < panels; p++) {
        const long out = g->outs[0] + p * g->beside;
        NAME(pack_grad)(g, rows, group * g->per_group + out, g->outs[1] - out, grads + p * packed);
    }
    for (long k = 0; k < chunks; k++) {
        const long first = g->inputs[0] + k * g->chunk;
        const long count = g->inputs[1] - first < g->chunk ? g->inputs[1] - first : g->chunk;
        const T *x = (const T *)g->x + (group * g->channels + first) * g->step[1], *cells = x;
        long far = g->step[1];
        if (g->in_place)
            NAME(block_starts)(g, rows);
        else {
            far = NAME(block_cells)(g, NULL, rows, NULL);
            for (long c = 0; c < count; c++) NAME(block_cells)(g, x + c * g->step[1], rows, memory + c * far);
            cells = memory;
        }
        NAME(tap_offsets)(g, rows, count, far, taps);
        const long tiles = (count * g->kernel[0] * g->kernel[1] * g->kernel[2] + g->at_once - 1) / g->at_once;
        for (long p = 0; p < panels; p++) {
            T *to = totals + (p * chunks + k) * g->tiles * tile;
            for (long t = 0; t < tiles; t++, to += tile)
                (g->beside > 1 ? NAME(outer_tile) : NAME(inner_tile))(rows, cells, taps + t * g->at_once,
                                                            grads + p * packed, to);
        }
    }
}

/* Totals to their places. */
static void NAME(keep_totals)(const Gradient *g, long group, const T *totals)
{
    const long taps = g->kernel[0] * g->kernel[1] * g->kernel[2], tile = g->at_once * g->beside;
    const long chunks = (g->inputs[1] - g->inputs[0] + g->chunk - 1) / g->chunk;
    for (long out = g->outs[0]; out < g->outs[1]; out += g->beside)
        for (long k = 0; k < chunks; k++, totals += g->tiles * tile) {
            const long first = g->inputs[0] + k * g->chunk;
            const long count = (g->inputs[1] - first < g->chunk ? g->inputs[1] - first : g->chunk) * taps;
            const long kept = g->outs[1] - out < g->beside ? g->outs[1] - out : g->beside;
            T *to = (T *)g->out + ((group * g->per_group + out) * g->channels + first) * taps;
            for (long at = 0; at < count; at += PANEL) /* a few lines of the totals at a time */
                for (long o = 0; o < kept; o++)
                    for (long i = at; i < count && i < at + PANEL; i++)
                        to[o * g->channels * taps + i] = totals[i * g->beside + o];
        }
}

static void NAME(gradient)(const Gradient *g, void *memory)
{
    const long channels = g->inputs[1] - g->inputs[0], panels = (g->outs[1] - g->outs[0] + g->beside - 1) / g->beside;
    const long sums = (channels + g->chunk - 1) / g->chunk * g->tiles * g->at_once * panels * g->beside;
    const long total = g->batch * g->outputs[0] * g->outputs[1];
    int64_t *taps = (int64_t *)memory + g->rows;
    T *totals = (T *)(taps + g->tiles * g->at_once), *grads = totals + sums;
    T *cells = grads + panels * g->rows * (g->width + LANES) * g->beside;
    if (panels < 1 || channels < 1) return;
    /* Vectors reach beyond the last cell; what is there is masked, but it must be memory. */
    for (long group = g->group[0]; group < g->group[1]; group++) {
        memset(totals, 0, (size_t)sums * sizeof(T));
        for (long column = 0; column < g->outputs[2]; column += g->width)
            for (long first = 0; first < total; first += g->rows) {
                Rows rows = {memory, first, g->rows, column, g->width, g->along};
                if (total - first < rows.count) rows.count = total - first;
                if (g->outputs[2] - column < rows.width) rows.width = g->outputs[2] - column;
                NAME(add_block)(g, group, &rows, taps, totals, grads, cells);
            }
        NAME(keep_totals)(g, group, totals);
    }
}

#undef LANES
#undef PANEL
#undef READ
