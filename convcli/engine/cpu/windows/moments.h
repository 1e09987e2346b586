/* Variances under a box, of samples S: sums down the columns, row from row, then along the rows.
 * Included by isa.h with SQUARES, which holds the sum of a column's squares or, wrapped, differences
 * of sums along a row, and M(name). All of it is exact: n n most most < 2**53. */

static void M(finish)(const Job *j, long r, const int32_t *first, const SQUARES *second, long n)
{
    const double cells = (double)j->p.cells, divisor = cells * cells;
    const long behind = (long)(j->p.wide * j->p.channels);
    double *line = (double *)j->line;
    for (long i = 0; i < n; i++) {
        const double one = (double)(int32_t)((uint32_t)first[i + behind] - (uint32_t)first[i]);
        const double two = (double)(SQUARES)((uint64_t)second[i + behind] - (uint64_t)second[i]);
        line[i] = (cells * two - one * one) / divisor;
    }
    if (j->p.root)
        for (long i = 0; i < n; i++) line[i] = __builtin_sqrt(line[i]);
    const long at = ((j->top + r) * (long)j->p.out_cols + j->left) * (long)j->p.channels;
    if (j->p.out_type == 'd')
        memcpy(j->dst + at * 8, line, (size_t)n * 8);
    else if (j->p.out_type == 'f')
        for (long i = 0; i < n; i++) ((float *)j->dst)[at + i] = (float)line[i];
    else
        for (long i = 0; i < n; i++) {
            /* Half to even, by what float64 keeps of so large a number. */
            const double rounded = (line[i] + 6755399441055744.0) - 6755399441055744.0;
            ((uint8_t *)j->dst)[at + i] = (uint8_t)(rounded < 255.0 ? (int32_t)rounded : 255);
        }
}

static void M(tile)(Job *j)
{
    const long group = (long)j->p.channels, tall = (long)j->p.tall, n = j->in_cols * group;
    int32_t *ones = (int32_t *)j->spare, *first = ones + j->pitch;
    SQUARES *twos = (SQUARES *)(j->spare + 16 * j->pitch);
    SQUARES *second = (SQUARES *)(j->spare + 24 * j->pitch);
    memset(ones, 0, (size_t)n * sizeof *ones), memset(twos, 0, (size_t)n * sizeof *twos);
    for (long r = 0; r < j->in_rows; r++) {
        S *row = (S *)j->held + r * j->pitch;
        ISA(copy_row)(j, r, (char *)row);
        if (r < tall)
            for (long i = 0; i < n; i++) {
                ones[i] += row[i];
                twos[i] += (SQUARES)row[i] * row[i];
            }
        else {
            const S *old = row - tall * j->pitch;
            for (long i = 0; i < n; i++) {
                ones[i] += row[i] - old[i];
                twos[i] += (SQUARES)row[i] * row[i] - (SQUARES)old[i] * old[i];
            }
        }
        if (r < tall - 1) continue;
        memset(first, 0, (size_t)group * sizeof *first), memset(second, 0, (size_t)group * sizeof *second);
        for (long i = 0; i < n; i++) {
            first[i + group] = (int32_t)((uint32_t)first[i] + (uint32_t)ones[i]);
            second[i + group] = (SQUARES)((uint64_t)second[i] + (uint64_t)twos[i]);
        }
        M(finish)(j, r - tall + 1, first, second, j->width * group);
    }
}
