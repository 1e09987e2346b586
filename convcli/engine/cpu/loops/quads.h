/* Four output rows at once: the taps that they share, once each. Included by loops.c. */

static int by_place(const void *a, const void *b)
{
    const Quad *p = a, *q = b;
    if (p->lane != q->lane) return p->lane < q->lane ? -1 : 1;
    if (p->shift != q->shift) return p->shift < q->shift ? -1 : 1;
    return p->row < q->row ? -1 : p->row > q->row;
}

static int by_range(const void *a, const void *b)
{
    const Quad *p = a, *q = b;
    return p->range != q->range ? (p->range < q->range ? -1 : 1) : by_place(a, b);
}

/* Merge the taps of four output rows that are `gap` rows apart: taps that read the same run become
 * one entry. Leaves quad_count 0 where rows go one by one; gives 0 where there is no memory. */
static int make_quads(Job *j)
{
    static const int range_of[4][4] = {{0, 1, 2, 3}, {-1, 4, 5, 6}, {-1, -1, 7, 8}, {-1, -1, -1, 9}};
    const long delta = j->gap * j->row_stride;
    if (!j->gap || j->bottom - j->top < 4 * j->gap) return 1;
    j->quads = calloc((size_t)(4 * j->tap_count), sizeof *j->quads);
    j->quad_ends = calloc((size_t)(11 * j->planes), sizeof *j->quad_ends);
    if (!j->quads || !j->quad_ends) return 0;
    long total = 0;
    for (long p = 0; p < j->planes; p++) {
        Quad *own = j->quads + total;
        long n = 0;
        for (long t = j->starts[p]; t < j->starts[p + 1]; t++)
            for (long k = 0; k < 4; k++, n++) {
                const Tap *tap = &j->taps[t];
                own[n] = (Quad){tap->lane, tap->row + k * delta, (long)tap->shift, 0, {0}};
                own[n].weight[k] = tap->weight;
            }
        qsort(own, (size_t)n, sizeof *own, by_place);
        long merged = 0;
        for (long i = 0; i < n; i++) {
            if (merged && !by_place(&own[merged - 1], &own[i]))
                for (int k = 0; k < 4; k++) own[merged - 1].weight[k] += own[i].weight[k];
            else
                own[merged++] = own[i];
        }
        for (long i = 0; i < merged; i++) {
            int lo = 0, hi = 3;
            while (lo < 3 && own[i].weight[lo] == 0) lo++;
            while (hi > lo && own[i].weight[hi] == 0) hi--;
            own[i].range = range_of[lo][hi];
        }
        qsort(own, (size_t)merged, sizeof *own, by_range);
        long *end = j->quad_ends + 11 * p, i = total;
        end[0] = total;
        for (int range = 0; range < 10; range++) {
            while (i < total + merged && j->quads[i].range == range) i++;
            end[range + 1] = i;
        }
        total += merged;
    }
    j->quad_count = total;
    return 1;
}

