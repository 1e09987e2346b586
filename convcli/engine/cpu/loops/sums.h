/* Sums of one type T, for one instruction set. Included by isa.h with T and SUM(name) defined.
 *
 * A block of outputs of one row is kept in NACC vector registers while all taps are added to it:
 * each tap is one shifted run of contiguous samples, so one unaligned load and one multiply-add.
 */

typedef T SUM(vec) __attribute__((vector_size(VBYTES), aligned(sizeof(T)), may_alias));

enum { SUM(CHUNK) = NACC * VBYTES / sizeof(T) };

/* total[0..n) = sum of weight[t] * source[t][0..n); n is rounded up to whole chunks. */
static void SUM(taps)(T *restrict total, T *const *restrict source, const T *restrict weight,
                      long taps, long n)
{
    typedef SUM(vec) vec;
    for (long x = 0; x < n; x += SUM(CHUNK)) {
        vec a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0}, a4 = {0}, a5 = {0}, a6 = {0}, a7 = {0};
        for (long t = 0; t < taps; t++) {
            const vec *p = (const vec *)(source[t] + x);
            const T w = weight[t];
            a0 += p[0] * w, a1 += p[1] * w, a2 += p[2] * w, a3 += p[3] * w;
            a4 += p[4] * w, a5 += p[5] * w, a6 += p[6] * w, a7 += p[7] * w;
        }
        vec *out = (vec *)(total + x);
        out[0] = a0, out[1] = a1, out[2] = a2, out[3] = a3;
        out[4] = a4, out[5] = a5, out[6] = a6, out[7] = a7;
    }
}

/* One input row into its lanes: converted, with its border, split by channel and phase. */
#define CONVERT(S, code)                                                                    \
    static void SUM(convert_##code)(T *restrict lane, const S *restrict row, const Fill *f) \
    {                                                                                       \
        const T value = (T)f->value;                                                        \
        for (long k = 0; k < f->count; k++) {                                               \
            if (k == f->first && f->last > f->first) {                                      \
                const S *from = row + f->start * f->pitch + f->channel;                     \
                const long leap = f->leap * f->pitch, n = f->last - f->first;               \
                T *to = lane + k * f->group;                                                \
                if (leap == f->group)                                                       \
                    for (long i = 0; i < n * f->group; i++) to[i] = (T)from[i];             \
                else if (f->group == 1)                                                     \
                    for (long i = 0; i < n; i++) to[i] = (T)from[i * leap];                 \
                else                                                                        \
                    for (long i = 0; i < n; i++)                                            \
                        for (long c = 0; c < f->group; c++)                                 \
                            to[i * f->group + c] = (T)from[i * leap + c];                   \
                k = f->last;                                                                \
                if (k == f->count) break;                                                   \
            }                                                                               \
            const long at = f->index[k * f->every];                                         \
            for (long c = 0; c < f->group; c++)                                             \
                lane[k * f->group + c] =                                                    \
                    at < 0 ? value : (T)row[at * f->pitch + f->channel + c];                \
        }                                                                                   \
    }
CONVERT(uint8_t, B)
CONVERT(uint16_t, H)
CONVERT(float, f)
CONVERT(double, d)
#undef CONVERT

static void SUM(fill)(T *restrict lane, const void *row, char code, const Fill *f)
{
    if (row == NULL) {
        for (long i = 0; i < f->count * f->group; i++) lane[i] = (T)f->value;
        return;
    }
    switch (code) {
    case 'B': SUM(convert_B)(lane, row, f); break;
    case 'H': SUM(convert_H)(lane, row, f); break;
    case 'f': SUM(convert_f)(lane, row, f); break;
    case 'd': SUM(convert_d)(lane, row, f); break;
    }
}

/* One tile: convert each input row once into a ring, run the horizontal taps on it if there are
 * any, add up each output row from the ring, and finish it. */
static long SUM(tile)(const Job *job)
{
    const long group = job->group, samples = (job->right - job->left) * group;
    const long ring = job->reach, wide = job->lane_samples + SUM(CHUNK);
    const long stored = job->lines ? job->lines : job->lanes;
    const long outputs = samples + SUM(CHUNK);
    const long pitch = job->lines ? outputs : wide, tallest = job->most_taps;
    /* One allocation: ring, converted row, sums, scratch of the finish, weights, pointers. */
    const size_t ring_bytes = (size_t)(ring * stored * pitch) * sizeof(T);
    const size_t raw_bytes = job->lines ? (size_t)(job->lanes * wide) * sizeof(T) : 0;
    const size_t total_bytes = (size_t)outputs * sizeof(T);
    const size_t work_bytes = (size_t)outputs * sizeof(double);
    const size_t weight_bytes = (size_t)(job->tap_count + job->line_tap_count) * sizeof(T);
    const size_t source_bytes = (size_t)(tallest + 1) * sizeof(T *);
    char *memory = NULL;
    if (posix_memalign((void **)&memory, 64, ring_bytes + raw_bytes + total_bytes +
                       2 * work_bytes + weight_bytes + source_bytes + 7 * 64))
        return -1;
    char *next = memory;
#define TAKE(bytes) (next += ((bytes) + 63) / 64 * 64, next - ((bytes) + 63) / 64 * 64)
    T *rows = (T *)TAKE(ring_bytes), *raw = (T *)TAKE(raw_bytes), *total = (T *)TAKE(total_bytes);
    void *work = TAKE(work_bytes), *spare = TAKE(work_bytes);
    T *weights = (T *)TAKE(weight_bytes);
    T **source = (T **)TAKE(source_bytes);
#undef TAKE
    memset(rows, 0, ring_bytes); /* what lies behind a row's end must not be slow denormals */
    memset(raw, 0, raw_bytes);
    T *line_weights = weights + job->tap_count;
    for (long t = 0; t < job->tap_count; t++) weights[t] = (T)(SUMINT)job->taps[t].weight;
    for (long t = 0; t < job->line_tap_count; t++)
        line_weights[t] = (T)(SUMINT)job->line_taps[t].weight;

    long clipped = 0, have = job->top * job->row_stride;
    for (long r = job->top; r < job->bottom; r++) {
        const long from = r * job->row_stride;
        if (have < from) have = from;
        for (; have < from + job->reach; have++) {
            T *slot = rows + have % ring * stored * pitch;
            T *lanes = job->lines ? raw : slot;
            const long at = job->rows[have];
            const void *row =
                at < 0 ? NULL : (const char *)job->src + (size_t)at * job->src_row_bytes;
            for (long l = 0; l < job->lanes; l++)
                SUM(fill)(lanes + l * wide, row, job->src_type, &job->fills[l]);
            for (long l = 0; l < job->lines; l++) {
                const long a = job->line_starts[l], n = job->line_starts[l + 1] - a;
                for (long t = 0; t < n; t++)
                    source[t] = raw + job->line_taps[a + t].lane * wide + job->line_taps[a + t].shift;
                SUM(taps)(slot + l * pitch, source, line_weights + a, n, samples);
            }
        }
        for (long p = 0; p < job->planes; p++) {
            const long a = job->starts[p], n = job->starts[p + 1] - a;
            for (long t = 0; t < n; t++) {
                const Tap *tap = &job->taps[a + t];
                source[t] = rows + ((from + tap->row) % ring * stored + tap->lane) * pitch + tap->shift;
            }
            SUM(taps)(total, source, weights + a, n, samples);
            clipped += SUM(finish)(job, total, work, spare, p, r, samples);
        }
    }
    free(memory);
    return clipped;
}
