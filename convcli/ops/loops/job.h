/* One convolution of x (N, C, *size) into out (N, C', *outputs), as every algorithm is told it.
 *
 * There are always three spatial axes; missing ones have size 1. Steps are in elements. The work
 * is cut into units that any number of threads claim one by one (tensors.c): `prepare` units make
 * what all share, the weights in another order; when they are done, `perform` units make outputs.
 * Where the cuts lie depends on shapes alone, never on threads. */

typedef struct {
    long batch, channels, per_group, groups; /* channels of x, and of out, in each group */
    long size[3], outputs[3], kernel[3], stride[3], dilation[3], start[3];
    long pieces; /* units wanted, if there is enough to do */
    const void *x, *weight, *bias; /* weight (C', C/groups, *kernel) contiguous; bias or NULL */
    void *out;
    long step[5], out_step[5];
    char *shared, *own; /* memory of all threads, and of this one */
    /* Planned, by the algorithm: */
    long depth;             /* terms of a sum */
    long panels;            /* rows of MR output channels, in each group */
    long prepared, units;   /* how many units there are */
    long block[3], cuts[3]; /* outputs of a unit along each axis, and how many units */
    long span[3], line;     /* cells of a unit; of its last axis, sorted by remainder of the stride */
    long cells;             /* of a unit, in elements; 0 where x is read in place */
    long shared_bytes, own_bytes;
} Job;

/* What an algorithm provides: `plan` fills in what is planned, and returns 0 if it cannot. */
typedef struct {
    int (*plan)(Job *);
    void (*prepare)(const Job *, long unit);
    void (*perform)(const Job *, long unit);
} Algorithm;

enum { DIRECT, DEPTHWISE, WINOGRAD, ALGORITHMS };

/* Memory is handed out in pieces that begin at a multiple of this. */
#define ALIGNED(bytes) (((bytes) + 63) / 64 * 64)

/* a / b rounded up. The b of strides is mostly 1, and a division takes as long as a row of cells. */
static inline long quotient(long a, long b) { return b == 1 ? a : (a + b - 1) / b; }
