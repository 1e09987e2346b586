/* What a tile is told: the job that Python packed, and what is made of it here. Included by loops.c.
 *
 * The plan decides and C checks: JOB lists every decision and number once. The list makes the
 * struct here and, as the text `_loops.JOB`, the layout that Python packs by; so does TAP. */

#define JOB(F)                                                                                   \
    F(l, height) F(l, width) F(l, channels)               /* of the input */                     \
    F(l, out_rows) F(l, out_cols) F(l, out_channels)      /* of the output */                    \
    F(l, row_stride) F(l, col_stride)                     /* positions between two outputs */    \
    F(l, first) F(l, last) F(l, step)                     /* columns in the input, cells apart */\
    F(l, reach)            /* rows of input that a row of output reads */                        \
    F(l, gap)              /* rows between four that are made together; 0: one by one */         \
    F(l, flat)             /* columns of a rectangle of ones, to be divided; or 0: see flat.h */ \
    F(l, add) F(l, multiply) F(l, shift) /* convcli/engine/cpu/box_mean.py; multiply 0 without */\
    F(d, value)            /* of the border */                                                   \
    F(d, scale) F(d, bias) F(d, offset) F(d, ratio)             /* requantize.py */              \
    F(d, low) F(d, limit)  /* of a whole-number output */                                        \
    F(b, src_type) F(b, out_type)  /* B, H, I, L; signed b, h, i, l; f, d */                     \
    F(b, sum_type)         /* h, H, f, d; i: running sums, box.h; q: blurs in 16 bits, blur.h */ \
    F(b, work)             /* type of the formula: as of the sums, f or d */                     \
    F(b, combine)          /* none, magnitude, maximum (x), bank */                              \
    F(b, by_channel)       /* a lane for each channel, or one for all */                         \
    F(b, absolute) F(b, count)                                                                   \
    F(b, narrow)           /* rows are kept as bytes: see bytes.h */                             \
    F(b, straight)         /* and their sums need dividing and clamping alone */                 \
    F(b, stream)           /* the output is too large to be found in a cache later */            \
    F(b, whole)            /* sums differ from whole numbers by a transform's rounding only */

#define TAP(F) F(i, lane) F(i, row) F(q, shift) F(d, weight)

#define TYPE_l long
#define TYPE_d double
#define TYPE_b char
#define TYPE_i int32_t
#define TYPE_q int64_t
#define FIELD(code, name) TYPE_##code name;
#define NAMED(code, name) #code ":" #name " "

/* How one lane is filled from an input row: `count` cells of `group` samples each. Cells
 * [first, last) come from the picture, `leap` cells apart from cell `start` on; the others
 * through index[k * every], or are `value` where that is negative. */
typedef struct {
    const int64_t *index;
    long count, every, first, last, start, leap, pitch, channel, group;
    double value;
} Fill;

typedef struct {
    TAP(FIELD)
} Tap;

/* A run of an input row that four output rows share, with its weight for each of them. */
typedef struct {
    long lane, row, shift, range;
    double weight[4];
} Quad;

typedef struct {
    JOB(FIELD) /* as Python packed it */
    const void *src;
    void *dst;
    const int64_t *rows; /* input row at each position, or -1 */
    size_t src_row_bytes;
    long src_size;
    long lanes, lane_samples, group;
    Fill *fills;
    const Tap *line_taps, *taps; /* along a row first, if lines > 0; then across rows */
    const int32_t *line_starts, *starts;
    long lines, planes, line_tap_count, tap_count, most_taps;
    Quad *quads;     /* of each plane, sorted by range; none if rows go one by one */
    long *quad_ends; /* per plane: where its first range starts, then where each of ten stops */
    long quad_count;
    long top, bottom, left, right;
    long out_size;
    const char *last_src; /* end of the picture's buffer */
} Job;

/* How long the packed part is: to the end of its last field. */
enum { PACKED = offsetof(Job, whole) + 1 };

/* Sums of one channel of a tile, of type `sum_type`, from wherever they come. */
typedef struct {
    const void *sums;
    long rows, cols, pitch, channel;
} Sums;

/* Samples of which some are missing, to be told apart; see missing.h. */
typedef struct {
    const void *x;
    void *kept;
    uint8_t *mask;
    long count;
    double value;
    int valued, nan;
    char type;
} Known;

/* The windows of a tile, of which some lack samples: in `values` there are the sums of what is
 * there, and then the results; see missing.h. */
typedef struct {
    void *values;
    const void *votes, *weights, *under;
    const double *precise, *present;
    const uint8_t *centre;
    uint8_t *found;
    long count;
    double taps, least, scale, gain, total, bias, hole;
    int fill, absolute;
    char way, type, vote_type;
} Voted;

/* What each instruction set provides. */
typedef struct {
    const char *name;
    long (*tile)(const Job *);
    void (*planes)(const Job *, void *);
    long (*finish)(const Job *, const Sums *, void *);
    long (*known)(const Known *, long *);
    long (*voted)(const Voted *);
    int bytes; /* has bytes.h */
} Isa;

/* Samples on their way past the caches. */
typedef union {
    uint8_t B[8192];
    int8_t b[8192];
    uint16_t H[4096];
    int16_t h[4096];
    uint32_t I[2048];
    int32_t i[2048];
    uint64_t L[1024];
    int64_t l[1024];
} Packed __attribute__((aligned(64)));

#define NO_MEMORY (SIZE_MAX / 4)

/* Scratch out of one allocation: `take` everything, `settle`, and take it again. */
typedef struct {
    char *memory;
    size_t used;
} Arena;

/* Room for a * b things. What no memory holds stays so: a product must not wrap and be small. */
static void *take(Arena *arena, long a, long b, size_t size)
{
    const size_t at = arena->used;
    size_t bytes;
    if (__builtin_mul_overflow(a, b, &bytes) || __builtin_mul_overflow(bytes, size, &bytes) ||
        bytes > NO_MEMORY || (arena->used += (bytes + 63) / 64 * 64) > NO_MEMORY)
        arena->used = NO_MEMORY;
    return arena->memory ? arena->memory + at : NULL;
}

/* Zeroed: what lies behind a row's end is read, and must not be slow denormals. */
static int settle(Arena *arena)
{
    void *memory = NULL;
    if (arena->used == NO_MEMORY) return 0;
    if (posix_memalign(&memory, 64, arena->used + 64)) return 0;
    memset(memory, 0, arena->used);
    arena->memory = memory;
    arena->used = 0;
    return 1;
}

/* Nearest whole number, halves to even, of |t| < 2**22 (2**51): the sum's low bits. */
static inline __attribute__((always_inline)) int32_t whole_f(float t)
{
    int32_t bits;
    t += 12582912.0f;
    memcpy(&bits, &t, sizeof bits);
    return bits;
}
static inline __attribute__((always_inline)) int64_t whole_d(double t)
{
    int64_t bits;
    t += 6755399441055744.0;
    memcpy(&bits, &t, sizeof bits);
    return bits;
}

#if defined(__x86_64__) /* for bytes.h */
/* The weights of taps t and t + 1, of a list that ends at `stop`, side by side. */
static int pair_of(const Job *job, long t, long stop)
{
    const int first = (int)job->taps[t].weight;
    const int second = t + 1 < stop ? (int)job->taps[t + 1].weight : 0;
    return (first & 255) | (second & 255) << 8;
}
#endif

enum {
    FIN_BLOCK = sizeof(Packed),
    FLAT_SHIFT = 1024, /* samples between the first and last column of flat.h, at most */
    MOST_PAIRS = 126,  /* of a line of blur.h */
};
