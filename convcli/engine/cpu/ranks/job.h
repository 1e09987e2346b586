/* What one tile of a rank filter is told, and the copy of its input. */

/* Whole numbers that Python packs, in this order; its names are those of the fields. */
#define JOB_FIELDS(X)                                                                         \
    X(height) X(width) X(channels) X(out_rows) X(out_cols)                                    \
    X(row_stride) X(col_stride) X(reach) X(most_shift) X(type) X(way) X(cells) X(rank)       \
    X(row_gap) X(group) X(instructions) X(slots) X(extent) X(side) X(band)

typedef struct {
#define FIELD(name) int64_t name;
    JOB_FIELDS(FIELD)
#undef FIELD
} Packed;

/* A run of cells that lie evenly in the picture, or all outside of it. */
typedef struct {
    long start, count, source, leap; /* source is -1 outside */
} Run;

typedef struct {
    int64_t row, lane, shift;
} Tap;

/* One minimum or maximum of a network, and where an output row ends up; a source below 0 is row
 * -1 - source of the input, another one a slot. */
typedef struct {
    int32_t largest, to, a, a_shift, b, b_shift, extent;
} Code;

typedef struct {
    int32_t source, shift;
} End;

#define NETWORK_BYTES (96 << 10) /* of all slots together: they stay in the second cache */

#define MEDIAN_BYTES (20 << 10)  /* the same of small medians: in the first */
#define MOST_SIDE 9              /* of these */

/* A job with its buffers. Input is held as keys: signed numbers that sort as the samples do, of
 * which the largest stands for NaN. */
typedef struct {
    Packed p;
    const char *src;
    char *dst;
    const int64_t *rows, *cols;
    const Tap *taps;
    const int32_t *order; /* which value to take of so many that vote */
    const Code *code;     /* of a network */
    const End *ends;
    const void *outside;  /* the sample that stands outside */
    long top, bottom, left, right;
    long samples, lane_cells, lane_pitch, pitch, map_rows; /* of the keys, in keys */
    Run *runs;                                             /* lane by lane */
    long *run_ends;
    long *offsets; /* of the taps' first keys */
    char *keys;
    char *line; /* keys of a row of results */
    int has_nan;
} Job;

/* Runs of a lane: cells `lane, lane + stride, ...` of the map from the tile's first column on. */
static long find_runs(const Job *j, long lane, long map_cols, Run *runs)
{
    long found = 0;
    const long stride = (long)j->p.col_stride, first = j->left * stride + lane;
    for (long i = 0; i < j->lane_cells;) {
        const int64_t *at = j->cols + first + i * stride;
        const long there = (map_cols - first - i * stride + stride - 1) / stride;
        const long left = j->lane_cells - i < there ? j->lane_cells - i : there;
        Run run = {i, 1, left > 0 ? (long)*at : -1, 0};
        if (left <= 0)
            run.count = j->lane_cells - i; /* behind the map: no tap reads it */
        else if (run.source < 0)
            while (run.count < left && at[run.count * stride] < 0) run.count++;
        else if (left > 1 && at[stride] >= 0) {
            run.leap = (long)(at[stride] - at[0]);
            while (run.count < left && at[run.count * stride] >= 0 &&
                   at[run.count * stride] - at[(run.count - 1) * stride] == run.leap)
                run.count++;
        }
        i += run.count;
        if (runs) runs[found] = run;
        found++;
    }
    return found;
}
