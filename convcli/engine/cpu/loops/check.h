/* Nothing that Python hands over is believed: every index and size is checked against the buffers
 * before it is used, every choice against what the loops can do. Included by loops.c.
 *
 * A check gives NULL, or what is wrong. */

/* Bytes of a sum. */
static int size_of(char code) { return code == 'q' ? 2 : sample_size(code); }

/* Whether a buffer holds a * b * c items, with no product that could overflow. */
static int fits(Py_ssize_t bytes, long a, long b, long c, long item)
{
    return a > 0 && b > 0 && c > 0 && item > 0 && bytes / item / c / b >= a;
}

/* Tap lists stay within their lanes and rows; returns the longest list, or -1. */
static long check_taps(const Tap *taps, long count, const int32_t *starts, long lists, long lanes,
                       long lane_samples, long samples, long reach)
{
    long most = 0;
    if (starts[0] != 0 || starts[lists] != count) return -1;
    for (long l = 0; l < lists; l++) {
        if (starts[l + 1] < starts[l]) return -1;
        if (starts[l + 1] - starts[l] > most) most = starts[l + 1] - starts[l];
    }
    for (long t = 0; t < count; t++)
        if (taps[t].lane < 0 || taps[t].lane >= lanes || taps[t].row < 0 || taps[t].row >= reach ||
            taps[t].shift < 0 || taps[t].shift > lane_samples - samples)
            return -1;
    return most;
}

/* Whether the taps of blur.h are what it takes: two by two with one weight, and all weights
 * together at most 1. White, 65280, with half a unit for each pair of both lines, one for an
 * average, and 128 to round by must stay below 65536, whatever the weights. */
static int are_pairs(const Tap *taps, long count)
{
    double sum = 0;
    for (long t = 0; t < count; t += 2) {
        const double weight = taps[t].weight;
        if (t + 1 == count || taps[t + 1].weight != weight || !(weight >= 1) || weight > 65535 ||
            weight != (long)weight)
            return 0;
        sum += weight;
    }
    return count > 0 && count <= 2 * MOST_PAIRS && sum <= 65536;
}

/* Describe one lane: `count` cells from position `at` on, every `every`-th. Positions
 * [first, last) of the map are known to be regular, and that is checked here. */
static int set_fill(Fill *f, const int64_t *index, long col_count, long at, long every,
                    long channel, long channels, long group, long count, long first, long last,
                    long step, long width, double value)
{
    const long there = at < col_count ? (col_count - at + every - 1) / every : 0;
    f->every = every, f->pitch = channels, f->group = group, f->value = value;
    f->channel = channel;
    f->count = count < there ? count : there;
    f->index = index + (at < col_count ? at : 0);
    const long a = first > at ? (first - at + every - 1) / every : 0;
    const long b = last > at ? (last - at + every - 1) / every : 0;
    f->first = a < f->count ? a : f->count;
    f->last = b < f->count ? b : f->count;
    if (__builtin_mul_overflow(step, every, &f->leap)) return 0;
    if (f->last <= f->first) return 1;
    f->start = (long)f->index[f->first * every];
    return f->start >= 0 && (width - 1 - f->start) / f->leap >= f->last - 1 - f->first;
}

/* Whether a border's value can stand among samples of a type with these ends. */
static int among(double value, double low, double high) { return value >= low && value <= high; }

/* Whether samples of an output can be stored from the type that the formula is evaluated in: float
 * holds no numbers of 32 bits, only double those that end beyond 2**53. */
static int stores(char out, char work)
{
    return work == 'd' || !strchr(work == 'f' ? "IiLl" : "Ll", out);
}

/* Whether of the weights of a plane two neighbours fit into signed bytes and, with any samples,
 * into 16 bits. */
static int are_narrow(const Tap *taps, long count)
{
    for (long t = 0; t < count; t += 2) {
        const double first = taps[t].weight, second = t + 1 < count ? taps[t + 1].weight : 0;
        const double both = (first < 0 ? -first : first) + (second < 0 ? -second : second);
        if (!(both <= 128) || first > 127 || second > 127 || first != (long)first ||
            second != (long)second)
            return 0;
    }
    return 1;
}

/* Whether the taps are a rectangle of ones, row by row and evenly apart, that flat.h can do. */
static int is_flat(const Job *j)
{
    if (j->count || j->lanes > 1 || j->flat < 2 || j->reach < 2 || j->tap_count % j->reach ||
        j->tap_count / j->reach != j->flat)
        return 0;
    const long leap = (long)j->taps[1].shift;
    if (leap < 0 || leap > FLAT_SHIFT / (j->flat - 1)) return 0;
    for (long t = 0; t < j->tap_count; t++)
        if (j->taps[t].row != t / j->flat || j->taps[t].shift != t % j->flat * leap ||
            j->taps[t].weight != 1)
            return 0;
    return 1;
}

/* The picture, the output, and where the tile lies in the maps of the rows and the columns. */
static const char *check_tile(const Job *j, Py_ssize_t src, Py_ssize_t dst, long row_count,
                              const int64_t *cols, long col_count)
{
    long shared;
    if (!j->sum_type || !strchr("hHfdiq", j->sum_type) ||
        !fits(src, j->height, j->width, j->channels, j->src_size) ||
        !fits(dst, j->out_rows, j->out_cols, j->out_channels, j->out_size))
        return "a picture's buffer does not fit its type and shape";
    if (j->top < 0 || j->bottom > j->out_rows || j->top >= j->bottom || j->left < 0 ||
        j->right > j->out_cols || j->left >= j->right)
        return "the tile lies outside the output";
    if (j->row_stride < 1 || j->col_stride < 1 || j->reach < 1 || j->gap < 0 || j->planes < 1 ||
        j->lines < 0 || j->reach > row_count || j->gap > row_count || j->row_stride > row_count ||
        __builtin_mul_overflow(4 * j->gap, j->row_stride, &shared) ||
        j->bottom - 1 > (row_count - j->reach) / j->row_stride)
        return "the tile needs more rows than the map has";
    if (j->col_stride > col_count) return "the stride is longer than the column map";
    if (j->first < 0 || j->last < j->first || j->last > col_count || j->step < 1 ||
        !index_inside(j->rows + j->top * j->row_stride,
                     (j->bottom - 1 - j->top) * j->row_stride + j->reach, j->height) ||
        !index_inside(cols, col_count, j->width))
        return "an index map points outside the picture";
    if (j->combine == 'b' ? j->planes != j->out_channels : j->out_channels != j->channels)
        return "the output has another number of channels";
    return NULL;
}

/* The loops that the plan chose, before anything is known of the taps. */
static const char *check_choice(const Job *j)
{
    const int stays = j->work == j->sum_type && j->scale == 1.0 && j->bias == 0.0 &&
                      j->offset == 0.0 && j->ratio == 1.0 && j->low == 0.0 && j->limit == 255.0;
    const int single = j->combine == 'n' && j->planes == 1;
    if (j->work != 'f' && j->work != 'd' && (j->work != j->sum_type || j->work == 'i'))
        return "sums are finished in their own 16 bits, in float or in double";
    if (!stores(j->out_type, j->work)) return "the output has more values than the formula's type";
    if (j->sum_type == 'i' &&
        (j->row_stride != 1 || j->col_stride != 1 || j->by_channel || j->combine != 'n' ||
         j->lines || j->tap_count != 1 || !strchr("BbHh", j->src_type) ||
         !among(j->value, strchr("bh", j->src_type) ? -32768 : 0,
                strchr("bh", j->src_type) ? 32767 : 65535)))
        return "running sums are for one rectangle, stride 1, 8 or 16 bits";
    if (j->sum_type == 'q' &&
        (!loops->bytes || j->row_stride != 1 || j->col_stride != 1 || j->by_channel || !single ||
         j->lines != 1 || j->src_type != 'B' || j->out_type != 'B' || j->scale != 1.0 ||
         j->bias != 0.0 || j->offset != 0.0 || j->ratio != 1.0 || !among(j->value, 0, 255) ||
         !are_pairs(j->line_taps, j->line_tap_count) || !are_pairs(j->taps, j->tap_count)))
        return "blurs in 16 bits are for bytes, stride 1, pairs of taps with weights of 16 bits";
    if (j->add < 0 || j->add > 65535 || j->multiply < 0 || j->multiply > 65535 || j->shift < 0 ||
        j->shift > 15)
        return "dividing in 16 bits takes numbers of 16 bits";
    if (j->narrow && (!loops->bytes || j->src_type != 'B' || j->lines || j->gap ||
                      (j->sum_type != 'h' && j->sum_type != 'H') || !among(j->value, 0, 255) ||
                      j->value != (long)j->value))
        return "rows are kept as bytes for sums of bytes in 16 bits, one row at a time";
    if (j->straight && (!j->narrow || !(stays || j->multiply) || j->out_type != 'B' || !single ||
                        j->row_stride != 1))
        return "sums go straight to bytes where nothing is left but to divide and to clamp";
    if (j->gap && (j->sum_type == 'i' || j->sum_type == 'q'))
        return "running sums and blurs have no rows to go together";
    return NULL;
}

/* The taps: within their lanes and rows, and of the form that the chosen loops take. */
static const char *check_lists(Job *j, long samples)
{
    const long lanes = j->lines ? j->lines : j->lanes;
    const long most = check_taps(j->taps, j->tap_count, j->starts, j->planes, lanes,
                                 j->lines ? samples : j->lane_samples, samples, j->reach);
    const long most_line =
        j->lines ? check_taps(j->line_taps, j->line_tap_count, j->line_starts, j->lines, j->lanes,
                              j->lane_samples, samples, 1)
                 : 0;
    if (most < 0 || most_line < 0) return "a tap lies outside its lane";
    j->most_taps = most > most_line ? most : most_line;
    for (long p = 0; j->narrow && p < j->planes; p++)
        if (!are_narrow(j->taps + j->starts[p], j->starts[p + 1] - j->starts[p]))
            return "two neighbouring weights do not fit into bytes";
    if (j->flat && !(j->straight && j->multiply && is_flat(j)))
        return "columns are added first for a rectangle of ones that is divided";
    if (j->sum_type == 'i' && (j->reach != j->taps[0].row + 1 || j->taps[0].shift % j->group))
        return "the rectangle's corner is not the farthest tap";
    return NULL;
}
