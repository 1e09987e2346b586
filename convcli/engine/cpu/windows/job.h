/* What one tile of a window is told. */

/* Whole numbers that Python packs, in this order; its names are those of the fields. */
#define JOB_FIELDS(X)                                                                         \
    X(height) X(width) X(channels) X(out_rows) X(out_cols) X(row_stride) X(col_stride)        \
    X(row_gap) X(col_gap) X(tall) X(wide) X(type) X(largest) X(blocks) X(cells) X(root) X(out_type) \
    X(stream) X(joint) X(skip)

typedef struct {
#define FIELD(name) int64_t name;
    JOB_FIELDS(FIELD)
#undef FIELD
} Packed;

/* A rectangle of the footprint: runs of `length` cells from `left` on, one below the other. */
typedef struct {
    int64_t length, top, height, left;
} Block;

/* Cells of the tile's input that lie side by side in the picture, in either direction, or are all
 * the same one, or outside of it. */
typedef struct {
    long start, count, source, step; /* source is -1 outside */
} Run;

/* The last `depth` rows of minima: of runs of `length` cells or, where it is more than 1, of `height`
 * such runs one below the other. They start at line `first` of the buffer. */
typedef struct {
    int64_t length, height;
    long depth, first;
} Lane;

/* A lane's row that is part of the result: so many rows back, from this cell on. */
typedef struct {
    long lane, back, left;
} Term;

/* A cell of a bilateral mean: where it lies, and the binary logarithm of what it weighs. */
typedef struct {
    int64_t row, column;
    double weight;
} Weighed;

/* The same cell in the tile's planes. */
typedef struct {
    long offset;
    double weight;
    float single; /* the same */
} Near;

enum { MOST_JOINT = 8 }; /* channels of which one weight is made */

/* A job with its buffers. */
typedef struct {
    Packed p;
    const char *src;
    char *dst;
    const int64_t *rows, *cols; /* from the tile's first row and column on */
    const Block *blocks;
    const Weighed *cells;          /* of bilateral means, in place of blocks */
    const void *outside;           /* the sample that stands outside */
    long top, left, height, width; /* of the tile in dst */
    long in_rows, in_cols, pitch;  /* of the tile's input; the pitch in samples */
    char *held;                    /* the tile's input, or the lanes */
    char *spare;                   /* a row, or several of sums */
    char *line;                    /* of a row of results, or of columns */
    Run *runs;                     /* of columns */
    long run_count;
    Lane *lanes; /* of extrema, the shortest runs first */
    Term *terms;
    const void **found; /* the terms of a row */
    long lane_count, term_count, strip; /* columns that are done together */
    /* Of bilateral means: 1 / (2 sigma sigma ln 2), what stands outside, and the cells. */
    double range, beyond;
    Near *near;
    long centre;                                /* where a window's centre lies in a plane */
    long phase, plane, row_pitch, line_pitch;   /* from one to the next, in samples of the planes */
} Job;

/* The tile's columns, run by run; returns how many. */
static long find_runs(const Job *j, Run *runs)
{
    long found = 0;
    for (long c = 0; c < j->in_cols; found++) {
        const int64_t *at = j->cols + c;
        const long left = j->in_cols - c, source = (long)*at;
        long step = left > 1 ? (long)(at[1] - at[0]) : 0, count = 1;
        if (step < -1 || step > 1 || (step && (source < 0 || at[1] < 0))) step = 0;
        while (count < left && at[count] == at[count - 1] + step) count++;
        if (runs) runs[found] = (Run){c, count, source, step};
        c += count;
    }
    return found;
}

/* Whether a mode is that of a box, whose columns and counts are not too many for its histograms. */
static int is_box(const Job *j)
{
    const Packed *p = &j->p;
    return p->blocks == 1 && p->cells == p->tall * p->wide && p->cells < 32768 && p->tall > 2 &&
           p->tall < 128;
}
