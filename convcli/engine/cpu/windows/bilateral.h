/* Bilateral means: of cells that are near and alike. Included by isa.h with REAL, its number of BITS,
 * and B(name).
 *
 * With d the difference from the sample under the centre, a cell counts 2**(near - range d d), and the
 * result is the centre plus the weighted mean of d: flat areas stay as they are, to the bit. NaN fails
 * every comparison, so that it has no weight; no more has what is too far for REAL to hold it.
 *
 * Source: C. Tomasi and R. Manduchi, Bilateral filtering for gray and color images (1998). */

#if BITS == 32
#define MAGIC 12582912.0f
#define SHIFT 23
#define LEAST -126.0f
#define INTEGER int32_t
#else
#define MAGIC 6755399441055744.0
#define SHIFT 52
#define LEAST -1022.0
#define INTEGER int64_t
#endif

/* Coefficients of 2**f, the highest power first: of Taylor's series where REAL is double, else those of
 * the least relative error, 1e-4 for bytes and 9e-8, between -1/2 and 1/2. */
#if BITS == 64
static const double B(terms)[] = {
    2.5678435993488196e-11, 4.44553827187081e-10,   7.054911620801121e-09,  1.0178086009239696e-07,
    1.3215486790144305e-06, 1.5252733804059838e-05, 0.00015403530393381606, 0.0013333558146428441,
    0.009618129107628477,   0.055504108664821576,   0.2402265069591007,     0.6931471805599453};
#define FEW B(terms)
#else
static const float B(few)[] = {0.05500893265f, 0.2422109703f, 0.6932829280f};
static const float B(terms)[] = {0.001326472779f, 0.009671512997f, 0.05550733744f, 0.2402224208f,
                                 0.6931469776f};
#define FEW B(few)
#endif

typedef REAL B(vec) __attribute__((vector_size(VBYTES), aligned(sizeof(REAL)), may_alias));
typedef INTEGER B(bits) __attribute__((vector_size(VBYTES), may_alias));
#define LANES ((long)(VBYTES / sizeof(REAL)))
#define LOAD(p) (*(const B(vec) *)(p))

static inline __attribute__((always_inline)) B(vec) B(all)(REAL value)
{
    return value - (B(vec)){0};
}

/* The larger of two numbers. */
static inline __attribute__((always_inline)) B(vec) B(larger)(B(vec) a, B(vec) b)
{
#if VBYTES == 64 && BITS == 32
    return (B(vec))_mm512_max_ps((__m512)a, (__m512)b);
#elif VBYTES == 32 && BITS == 32
    return (B(vec))_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__x86_64__) && VBYTES == 16 && BITS == 32
    return (B(vec))_mm_max_ps((__m128)a, (__m128)b);
#else
    const B(bits) more = (B(bits))(a > b);
    return (B(vec))(((B(bits))a & more) | ((B(bits))b & ~more));
#endif
}

/* Sums of powers of f by Horner's rule, from 1 at 0. */
static inline __attribute__((always_inline)) B(vec) B(fraction)(B(vec) f, const int bytes)
{
    const REAL *terms = bytes ? FEW : B(terms);
    const int count = (int)((bytes ? sizeof FEW : sizeof B(terms)) / sizeof(REAL));
    B(vec) sum = B(all)(terms[0]);
    for (int n = 1; n < count; n++) sum = sum * f + B(all)(terms[n]);
    return sum * f + B(all)(1);
}

/* 2**t; of what is less than 2**LEAST 0, or as good as it. `counts` tells which is no number either. */
static inline __attribute__((always_inline)) B(vec) B(power)(B(vec) t, B(bits) *counts, const int bytes)
{
    /* Of the nearest whole number the lowest bits of a large sum make the exponent. */
    if (!counts) t = B(larger)(t, B(all)(LEAST));
    const B(vec) whole = t + B(all)(MAGIC), f = t - (whole - B(all)(MAGIC));
    const B(vec) sum = B(fraction)(f, bytes);
    const B(bits) power = (B(bits))sum + ((B(bits))whole << SHIFT);
    if (!counts) return (B(vec))power;
    *counts = (B(bits))(t >= B(all)(LEAST));
    return (B(vec))(power & *counts);
}

/* Results of `count` outputs of a row: `group` channels weighed together, `many` vectors at a time. */
static inline __attribute__((always_inline)) void
B(row)(const Job *j, const REAL *from, REAL *to, long count, const int group, const int many,
       const int bytes)
{
    const B(vec) range = B(all)((REAL)j->range);
    for (long i = 0; i < count; i += many * LANES) {
        B(vec) centre[MOST_JOINT][2], sum[MOST_JOINT][2], total[2];
        for (int u = 0; u < many; u++) {
            total[u] = B(all)(0);
            for (int g = 0; g < group; g++) {
                centre[g][u] = LOAD(from + g * j->plane + j->centre + i + u * LANES);
                sum[g][u] = B(all)(0);
            }
        }
        for (const Near *cell = j->near; cell < j->near + j->p.blocks; cell++) {
            const REAL *at = from + cell->offset + i;
            const B(vec) near = B(all)(BITS == 32 ? (REAL)cell->single : (REAL)cell->weight);
            for (int u = 0; u < many; u++) {
                B(vec) apart[MOST_JOINT], far = B(all)(0);
                for (int g = 0; g < group; g++) {
                    apart[g] = LOAD(at + g * j->plane + u * LANES) - centre[g][u];
                    far += apart[g] * apart[g];
                }
                B(bits) counts;
                const B(vec) weight = B(power)(near - far * range, bytes ? NULL : &counts, bytes);
                total[u] += weight;
                for (int g = 0; g < group; g++)
                    sum[g][u] += weight * (bytes ? apart[g] : (B(vec))((B(bits))apart[g] & counts));
            }
        }
        for (int u = 0; u < many; u++)
            for (int g = 0; g < group; g++)
                *(B(vec) *)(to + g * j->line_pitch + i + u * LANES) = centre[g][u] + sum[g][u] / total[u];
    }
}

/* Columns of a row, from the picture's type, in planes by channel and phase of the stride. */
#define FROM(letter, kind)                                                                            \
    case letter:                                                                                      \
        for (long k = 0; k < run->count; k++) to[k] = (REAL)((const kind *)at)[k * leap + c];         \
        break;

static void B(load)(const Job *j, long r, REAL *held, REAL *line)
{
    const long channels = (long)j->p.channels, stride = (long)j->p.col_stride;
    const int64_t row = j->rows[r];
    for (long c = 0; c < channels; c++, held += j->plane) {
        REAL *plain = stride == 1 ? held : line;
        for (const Run *run = j->runs; run < j->runs + j->run_count; run++) {
            REAL *to = plain + run->start;
            if (row < 0 || run->source < 0) {
                for (long k = 0; k < run->count; k++) to[k] = (REAL)j->beyond;
                continue;
            }
            const long leap = run->step * channels;
            const char *at = j->src + (row * j->p.width + run->source) * channels * sample_size(j->p.type);
            switch (j->p.type) {
#if BITS == 32
                FROM('B', uint8_t) FROM('H', uint16_t) FROM('f', float)
#else
                FROM('d', double)
#endif
            }
        }
        if (stride > 1)
            for (long k = 0; k < j->in_cols; k++) held[k % stride * j->phase + k / stride] = line[k];
    }
}
#undef FROM

/* Rounded half to even, by the lowest bits of a large sum; results lie between the samples. */
#define TO(letter, kind, value)                                                                       \
    case letter:                                                                                      \
        for (long i = 0; i < j->width; i++) {                                                         \
            const REAL v = from[i];                                                                   \
            ((kind *)j->dst)[at + i * channels] = (kind)(value);                                      \
        }                                                                                             \
        break;

static void B(store)(const Job *j, long r, long c, const REAL *from)
{
    const long channels = (long)j->p.channels;
    const long at = ((j->top + r) * (long)j->p.out_cols + j->left) * channels + c;
    switch (j->p.out_type) {
#if BITS == 32
        TO('B', uint8_t, (int32_t)((v + MAGIC) - MAGIC))
        TO('H', uint16_t, (int32_t)((v + MAGIC) - MAGIC))
        TO('f', float, v)
#else
        TO('d', double, v)
#endif
    }
}
#undef TO

static void B(tile)(Job *j)
{
    const long channels = (long)j->p.channels, group = j->p.joint ? channels : 1;
    const int bytes = BITS == 32 && j->p.type == 'B' && j->beyond >= 0 && j->beyond <= 255;
    REAL *held = (REAL *)j->held, *line = (REAL *)j->line;
    for (long r = 0; r < j->in_rows; r++) B(load)(j, r, held + r * j->row_pitch, line);
    for (long r = 0; r < j->height; r++) {
        const REAL *from = held + r * (long)j->p.row_stride * j->row_pitch;
        for (long c = 0; c < channels; c += group) {
            const REAL *first = from + c * j->plane;
            if (group == 1 && bytes)
                B(row)(j, first, line, j->width, 1, 2, 1);
            else if (group == 1)
                B(row)(j, first, line, j->width, 1, 2, 0);
            else if (group == 3 && bytes)
                B(row)(j, first, line, j->width, 3, 1, 1);
            else
                B(row)(j, first, line, j->width, (int)group, 1, 0);
            for (long g = 0; g < group; g++) B(store)(j, r, c + g, line + g * j->line_pitch);
        }
    }
}
#undef LANES
#undef LOAD
#undef MAGIC
#undef SHIFT
#undef LEAST
#undef FEW
#undef INTEGER
