/* Lanes of minima for extrema: which there are for a footprint, and buffers for them. */

#define PADDING 256 /* samples behind each row that whole vectors may read and write */

/* Runs one below the other that are compared one by one: as fast as a stack of them. */
#define FEW_ROWS 9

/* The rows of minima that the blocks are made of, and which of them each result takes. */
static int find_lanes(Job *j)
{
    const Packed *p = &j->p;
    j->lanes = piece(p->blocks, 1, sizeof *j->lanes);
    j->terms = piece(p->blocks, FEW_ROWS, sizeof *j->terms);
    j->found = piece(p->blocks, FEW_ROWS, sizeof *j->found);
    if (!j->lanes || !j->terms || !j->found) return 0;
    for (const Block *b = j->blocks; b < j->blocks + p->blocks; b++) {
        const int64_t height = b->height > FEW_ROWS ? b->height : 1;
        long at = 0; /* by length, single runs before stacks */
        while (at < j->lane_count &&
               (j->lanes[at].length < b->length ||
                (j->lanes[at].length == b->length && j->lanes[at].height < height)))
            at++;
        if (at == j->lane_count || j->lanes[at].length != b->length || j->lanes[at].height != height) {
            memmove(j->lanes + at + 1, j->lanes + at, (size_t)(j->lane_count - at) * sizeof *j->lanes);
            for (Term *t = j->terms; t < j->terms + j->term_count; t++) t->lane += t->lane >= at;
            j->lanes[at] = (Lane){b->length, height, 1, 0};
            j->lane_count++;
        }
        for (int64_t row = b->top + height - 1; row < b->top + b->height; row++) {
            const long back = (long)((p->tall - 1 - row) * p->row_gap);
            if (j->lanes[at].depth <= back) j->lanes[at].depth = back + 1;
            j->terms[j->term_count++] = (Term){at, back, (long)(b->left * p->col_gap)};
        }
    }
    return 1;
}

#define CACHE 327680
#define LONG_LINE 8192
#define SHORT_LINE 1024

/* Buffers for extrema: strips of columns, so narrow that all lanes stay in the second cache. */
static int prepare_lanes(Job *j, long size)
{
    const long group = (long)j->p.channels, across = (long)j->p.col_stride, gap = (long)j->p.row_gap;
    const long beside = ((long)j->p.wide - 1) * (long)j->p.col_gap;
    if (!find_lanes(j)) return 0;
    long lines = 0;
    for (Lane *lane = j->lanes; lane < j->lanes + j->lane_count; lane++) {
        lane->first = lines;
        lines += lane->depth + (lane->height > 1 ? ((long)lane->height + 1) * gap : 0);
    }
    long bytes = CACHE / (lines + 1);
    bytes = bytes < SHORT_LINE ? SHORT_LINE : bytes > LONG_LINE ? LONG_LINE : bytes;
    long cols = bytes / (size * group);
    if (cols < 3 * beside) cols = 3 * beside;
    j->strip = cols <= beside ? 1 : (cols - beside - 1) / across + 1;
    const long strips = (j->width - 1) / j->strip + 1;
    j->strip = ((j->width - 1) / strips / 64 + 1) * 64; /* of one width, and whole lines of memory */
    if (j->strip > j->width) j->strip = j->width;
    j->pitch = ((j->strip - 1) * across + 1 + beside) * group + PADDING;
    j->held = piece(lines, j->pitch, size);
    j->spare = piece(1, j->pitch, size), j->line = piece(1, j->pitch, size);
    if (!j->held || !j->spare || !j->line) return 0;
    memset(j->held, 0, (size_t)(lines * j->pitch * size)); /* vectors read more than is there */
    memset(j->spare, 0, (size_t)(j->pitch * size));
    return 1;
}
