/* What one tile of a window is told. */

/* Whole numbers that Python packs, in this order; its names are those of the fields. */
#define JOB_FIELDS(X)                                                                         \
    X(height) X(width) X(channels) X(out_rows) X(out_cols) X(row_stride) X(col_stride)        \
    X(row_gap) X(col_gap) X(tall) X(wide) X(type) X(largest) X(blocks) X(cells) X(root) X(out_type)

typedef struct {
#define FIELD(name) int64_t name;
    JOB_FIELDS(FIELD)
#undef FIELD
} Packed;

/* A rectangle of the footprint: runs of `length` cells from `left` on, one below the other. */
typedef struct {
    int64_t length, top, height, left;
} Block;

/* Cells of the tile's input that lie side by side in the picture, or one outside of it. */
typedef struct {
    long start, count, source; /* source is -1 outside */
} Run;

/* A job with its buffers. */
typedef struct {
    Packed p;
    const char *src;
    char *dst;
    const int64_t *rows, *cols; /* from the tile's first row and column on */
    const Block *blocks;
    const void *outside;           /* the sample that stands outside */
    long top, left, height, width; /* of the tile in dst */
    long in_rows, in_cols, pitch;  /* of the tile's input; the pitch in samples */
    char *held;                    /* the tile's input */
    char *spare;                   /* as much again */
    char *line;                    /* of a row of results, or of columns */
    Run *runs;                     /* of columns */
    long run_count;
} Job;

/* The tile's columns, run by run; returns how many. */
static long find_runs(const Job *j, Run *runs)
{
    long found = 0;
    for (long c = 0; c < j->in_cols; found++) {
        long stop = c + 1;
        if (j->cols[c] >= 0)
            while (stop < j->in_cols && j->cols[stop] == j->cols[stop - 1] + 1) stop++;
        if (runs) runs[found] = (Run){c, stop - c, (long)j->cols[c]};
        c = stop;
    }
    return found;
}
