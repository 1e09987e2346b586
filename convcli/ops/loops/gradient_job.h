/* One gradient for the weights of a convolution of x (N, C, *size), as its loops are told it: sums
 * over all windows of x times `grad` (N, C', *outputs), into out (C', C/groups, *kernel). There are
 * always three spatial axes; missing ones have size 1. Steps are in elements. */

typedef struct {
    const void *x, *grad;
    void *out;
    long batch, groups, channels, per_group; /* channels of x, and of grad, in each group */
    long size[3], outputs[3], kernel[3], stride[3], dilation[3], start[3];
    long reach[3]; /* cells of a window */
    long step[5], grad_step[5];
    long piece, pieces; /* which share of the weights this call makes */
    /* Planned: */
    long group[2], outs[2], inputs[2];  /* the share: from, to */
    long beside, at_once;               /* output channels and taps of a tile */
    long phases, in_place, along;       /* how cells lie, and the step from window to window */
    long width, rows, lines;            /* of a block: outputs, rows of them, lines of cells */
    long room, chunk, tiles;            /* cells of a channel, channels at a time, tiles of those */
} Gradient;

/* A block: rows `first` to `first + count` of outputs, `column` to `column + width`; where the
 * windows of each begin. */
typedef struct {
    int64_t *starts;
    long first, count, column, width, along;
} Rows;

#define GRAD_BYTES (24L << 10)  /* of a block in a panel: a share of the L1 cache */
#define CHUNK_BYTES (96L << 10) /* cells of a block: a share of the L2 cache */

/* Share `piece` of `pieces` of 0 to `count`, in multiples of `unit`. */
static inline void share(long count, long unit, long piece, long pieces, long *range)
{
    const long units = (count + unit - 1) / unit;
    range[0] = units * piece / pieces * unit;
    range[1] = units * (piece + 1) / pieces * unit;
    if (range[1] > count) range[1] = count;
}

/* How evenly `count` things are shared: the busiest has 1 / (result * pieces) of them. */
static inline double evenness(long count, long pieces)
{
    return (double)count / (double)((count + pieces - 1) / pieces * pieces);
}

/* Give this piece its groups, output channels or input channels, whichever cuts most evenly. */
static void share_out(Gradient *g, long panel)
{
    const long panels = (g->per_group + panel - 1) / panel;
    const double by_group = evenness(g->groups, g->pieces), by_out = evenness(panels, g->pieces);
    const double by_input = evenness(g->channels, g->pieces);
    const int axis = by_group >= by_out && by_group >= by_input ? 0 : by_out >= by_input ? 1 : 2;
    share(g->groups, 1, axis == 0 ? g->piece : 0, axis == 0 ? g->pieces : 1, g->group);
    share(g->per_group, panel, axis == 1 ? g->piece : 0, axis == 1 ? g->pieces : 1, g->outs);
    share(g->channels, 1, axis == 2 ? g->piece : 0, axis == 2 ? g->pieces : 1, g->inputs);
}
