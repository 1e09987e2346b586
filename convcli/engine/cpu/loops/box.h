/* Sums of all samples under a rectangle, by running sums: the cost does not grow with its size.
 * Included by isa.h. Whole samples of 8 or 16 bits only: what is added is later taken away again,
 * and must leave nothing behind.
 *
 * The one tap of the job is the rectangle's last corner; its weight is that of every tap. */

enum { ISA(BOX_BLOCK) = 1024 };

#define BOX_ROWS(S, code)                                                                     \
    static void ISA(box_add_##code)(int32_t *restrict sums, const S *restrict more, long n)   \
    {                                                                                         \
        for (long i = 0; i < n; i++) sums[i] += more[i];                                      \
    }                                                                                         \
    static void ISA(box_slide_##code)(int32_t *restrict sums, const S *restrict more,         \
                                      const S *restrict less, long n)                         \
    {                                                                                         \
        for (long i = 0; i < n; i++) sums[i] += (int32_t)more[i] - (int32_t)less[i];          \
    }
BOX_ROWS(uint16_t, H)
BOX_ROWS(int16_t, h)
#undef BOX_ROWS

static void ISA(box_slide_bytes)(int32_t *restrict sums, const uint8_t *restrict more,
                                 const uint8_t *restrict less, long n)
{
    for (long i = 0; i < n; i++) sums[i] += (int32_t)more[i] - (int32_t)less[i];
}

#if VBYTES > 16
typedef int32_t ISA(cells) __attribute__((vector_size(VBYTES), aligned(4), may_alias));

/* Lane i becomes lane from[i] of v. By intrinsics: Clang has no shuffle by a variable. */
static inline __attribute__((always_inline)) ISA(cells) ISA(lanes_from)(ISA(cells) v, ISA(cells) from)
{
#if VBYTES == 64
    return (ISA(cells))_mm512_permutexvar_epi32((__m512i)from, (__m512i)v);
#else
    return (ISA(cells))_mm256_permutevar8x32_epi32((__m256i)v, (__m256i)from);
#endif
}

/* total[i] = total[i - group] + last[i] - first[i], a vector at a time: within it by doubling
 * (1, 2, 4 groups back), then with what the vector before it came to. One sample after the other
 * took three times as long. */
static inline __attribute__((always_inline)) void ISA(box_carry)(
    int32_t *restrict total, const int32_t *restrict first, const int32_t *restrict last, long group,
    int steps, long n)
{
    enum { LANES = VBYTES / 4 };
    typedef ISA(cells) cells;
    cells back[4] = {{0}}, kept[4] = {{0}}, end = {0}, carry = {0};
    for (int lane = 0; lane < LANES; lane++) {
        end[lane] = (int32_t)(LANES - group + lane % group);
        for (int s = 0; s < steps; s++) {
            const long shift = group << s;
            back[s][lane] = lane < shift ? 0 : (int32_t)(lane - shift);
            kept[s][lane] = lane < shift ? 0 : -1;
        }
    }
    for (long c = 0; c < group; c++) carry[LANES - group + c] = total[c - group];
    for (long i = 0; i < n; i += LANES) { /* up to a whole vector: total has room */
        cells v = *(const cells *)(last + i) - *(const cells *)(first + i);
        for (int s = 0; s < steps; s++) v += ISA(lanes_from)(v, back[s]) & kept[s];
        v += ISA(lanes_from)(carry, end);
        *(cells *)(total + i) = v;
        carry = v;
    }
}
#endif

/* total[i] = total[i - group] + last[i] - first[i]. */
static void ISA(box_across)(int32_t *restrict total, const int32_t *restrict first,
                            const int32_t *restrict last, long group, long n)
{
#if VBYTES > 16
    if (group == 1) { ISA(box_carry)(total, first, last, 1, VBYTES == 64 ? 4 : 3, n); return; }
    if (group == 2) { ISA(box_carry)(total, first, last, 2, VBYTES == 64 ? 3 : 2, n); return; }
    if (group == 3) { ISA(box_carry)(total, first, last, 3, VBYTES == 64 ? 3 : 2, n); return; }
    if (group == 4) { ISA(box_carry)(total, first, last, 4, VBYTES == 64 ? 2 : 1, n); return; }
#endif
    for (long i = 0; i < n; i++) total[i] = total[i - group] + last[i] - first[i];
}

static long ISA(box_finish)(const Job *job, const int32_t *restrict total, void *restrict work,
                            long row, long from, long n)
{
    const double weight = job->taps[0].weight;
    if (job->work == 'f') {
        float *v = work;
        for (long i = 0; i < n; i++) v[i] = (float)total[i] * (float)weight;
        return ISA(row_f)(job, v, NULL, 0, row, from, n);
    }
    double *v = work;
    for (long i = 0; i < n; i++) v[i] = (double)total[i] * weight;
    return ISA(row_d)(job, v, NULL, 0, row, from, n);
}

static const void *ISA(row_at)(const Job *job, long position)
{
    const long at = job->rows[position];
    return at < 0 ? NULL : (const char *)job->src + (size_t)at * job->src_row_bytes;
}

/* The tile's bytes of a row where they are, if all of them lie in the picture side by side. */
static const uint8_t *ISA(bytes_at)(const Job *job, long position)
{
    const Fill *f = job->fills;
    const uint8_t *row = ISA(row_at)(job, position);
    if (!row || job->src_type != 'B' || f->first > 0 || f->last < f->count ||
        f->leap * f->pitch != f->group || f->count * f->group < job->lane_samples)
        return NULL;
    return row + f->start * f->pitch + f->channel;
}

static long ISA(tile_box)(const Job *job)
{
    const long group = job->group, samples = (job->right - job->left) * group;
    const long reach = job->reach, width = (long)job->taps[0].shift / group + 1;
    const long wide = job->lane_samples, block = ISA(BOX_BLOCK);
    Arena arena = {0};
    const int is_signed = job->src_type == 'b' || job->src_type == 'h';
    void *more = NULL, *less = NULL;
    int32_t *sums = NULL, *total = NULL;
    void *work = NULL;
    for (int pass = 0; pass < 2; pass++) {
        more = take(&arena, wide, 1, sizeof(uint16_t));
        less = take(&arena, wide, 1, sizeof(uint16_t));
        sums = take(&arena, group + wide + VBYTES, 1, sizeof *sums);
        total = take(&arena, group + block + VBYTES, 1, sizeof *total);
        work = take(&arena, block, 1, sizeof(double));
        if (pass == 0 && !settle(&arena)) return -1;
    }
    sums += group; /* zeros before the first column, which its sum starts from */
    total += group;
    for (long k = 0; k < reach; k++) {
        const void *row = ISA(row_at)(job, job->top + k);
        if (is_signed) {
            ISA(fill_h)(more, row, job->src_type, &job->fills[0]);
            ISA(box_add_h)(sums, more, wide);
        } else {
            ISA(fill_H)(more, row, job->src_type, &job->fills[0]);
            ISA(box_add_H)(sums, more, wide);
        }
    }
    long clipped = 0;
    for (long r = job->top;; r++) {
        for (long c = 0; c < group; c++) { /* what stands before the first column */
            total[c - group] = 0;
            for (long j = 0; j < width - 1; j++) total[c - group] += sums[j * group + c];
        }
        for (long x = 0; x < samples; x += block) {
            const long n = samples - x < block ? samples - x : block;
            ISA(box_across)(total, sums + x - group, sums + x + (width - 1) * group, group, n);
            clipped += ISA(box_finish)(job, total, work, r, x, n);
            for (long c = 0; c < group; c++) total[c - group] = total[n - group + c];
        }
        if (r + 1 == job->bottom) break;
        const uint8_t *next = ISA(bytes_at)(job, r + reach), *last = ISA(bytes_at)(job, r);
        if (next && last) {
            const uint8_t *soon = r + 2 < job->bottom ? ISA(bytes_at)(job, r + 1 + reach) : NULL;
            for (long at = 0; soon && at < wide; at += 64) __builtin_prefetch(soon + at);
            ISA(box_slide_bytes)(sums, next, last, wide);
            continue;
        }
        const void *below = ISA(row_at)(job, r + reach), *above = ISA(row_at)(job, r);
        if (is_signed) {
            ISA(fill_h)(more, below, job->src_type, &job->fills[0]);
            ISA(fill_h)(less, above, job->src_type, &job->fills[0]);
            ISA(box_slide_h)(sums, more, less, wide);
        } else {
            ISA(fill_H)(more, below, job->src_type, &job->fills[0]);
            ISA(fill_H)(less, above, job->src_type, &job->fills[0]);
            ISA(box_slide_H)(sums, more, less, wide);
        }
    }
    FENCE
    free(arena.memory);
    return clipped;
}
