/* Sums of all samples under a rectangle, by running sums: the cost does not grow with its size.
 * Included by isa.h. Whole samples of 8 or 16 bits only: what is added is later taken away again,
 * and must leave nothing behind.
 *
 * The one tap of the job is the rectangle's last corner; its weight is that of every tap. */

static void ISA(box_add)(int32_t *restrict sums, const uint16_t *restrict more, long n)
{
    for (long i = 0; i < n; i++) sums[i] += more[i];
}

static void ISA(box_slide)(int32_t *restrict sums, const uint16_t *restrict more,
                           const uint16_t *restrict less, long n)
{
    for (long i = 0; i < n; i++) sums[i] += (int32_t)more[i] - (int32_t)less[i];
}

/* total[i] = sums[i] + sums[i + group] + ... over `width` cells. */
static void ISA(box_across)(int32_t *restrict total, const int32_t *restrict sums, long group,
                            long width, long n)
{
    for (long i = 0; i < group; i++) {
        int32_t start = 0;
        for (long j = 0; j < width; j++) start += sums[j * group + i];
        total[i] = start;
    }
    const int32_t *first = sums, *last = sums + width * group;
    for (long i = 0; i < n - group; i++) total[group + i] = last[i] - first[i];
    int32_t *t = total;
    if (group == 3) {
        int32_t a = t[0], b = t[1], c = t[2];
        for (long i = 3; i + 2 < n; i += 3) {
            a += t[i], b += t[i + 1], c += t[i + 2];
            t[i] = a, t[i + 1] = b, t[i + 2] = c;
        }
    } else if (group == 1) {
        int32_t a = t[0];
        for (long i = 1; i < n; i++) t[i] = a += t[i];
    } else
        for (long i = group; i < n; i++) t[i] += t[i - group];
}

static long ISA(box_finish)(const Job *job, const int32_t *restrict total, void *restrict work,
                            long row, long n)
{
    const double weight = job->taps[0].weight;
    if (job->work == 'f') {
        float *v = work;
        for (long i = 0; i < n; i++) v[i] = (float)total[i] * (float)weight;
        return ISA(row_f)(job, v, NULL, 0, row, 0, n);
    }
    double *v = work;
    for (long i = 0; i < n; i++) v[i] = (double)total[i] * weight;
    return ISA(row_d)(job, v, NULL, 0, row, 0, n);
}

static const void *ISA(box_row)(const Job *job, long position)
{
    const long at = job->rows[position];
    return at < 0 ? NULL : (const char *)job->src + (size_t)at * job->src_row_bytes;
}

static long ISA(tile_box)(const Job *job)
{
    const long group = job->group, samples = (job->right - job->left) * group;
    const long reach = job->reach, width = (long)job->taps[0].shift / group + 1;
    const long wide = job->lane_samples;
    Arena arena = {0};
    uint16_t *more = NULL, *less = NULL;
    int32_t *sums = NULL, *total = NULL;
    void *work = NULL;
    for (int pass = 0; pass < 2; pass++) {
        more = take(&arena, (size_t)wide * sizeof *more);
        less = take(&arena, (size_t)wide * sizeof *less);
        sums = take(&arena, (size_t)(wide + group) * sizeof *sums);
        total = take(&arena, (size_t)samples * sizeof *total);
        work = take(&arena, (size_t)samples * sizeof(double));
        if (pass == 0 && !settle(&arena)) return -1;
    }
    for (long k = 0; k < reach; k++) {
        ISA(fill_H)(more, ISA(box_row)(job, job->top + k), job->src_type, &job->fills[0]);
        ISA(box_add)(sums, more, wide);
    }
    long clipped = 0;
    for (long r = job->top;; r++) {
        ISA(box_across)(total, sums, group, width, samples);
        clipped += ISA(box_finish)(job, total, work, r, samples);
        if (r + 1 == job->bottom) break;
        ISA(fill_H)(more, ISA(box_row)(job, r + reach), job->src_type, &job->fills[0]);
        ISA(fill_H)(less, ISA(box_row)(job, r), job->src_type, &job->fills[0]);
        ISA(box_slide)(sums, more, less, wide);
    }
    free(arena.memory);
    return clipped;
}
