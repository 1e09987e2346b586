/* The loops over rows, compiled once per instruction set. Included by rows.c through clones.h. */

#if VBYTES == 64 /* comparisons of short vectors take longer with AVX-512's masks */
#define avx512_one_row avx2_one_row
#else
/* One row; `up` is the row above, all zero for the first. Paeth's pixels are read and written
 * `span` bytes at a time, the excess to be overwritten, where the row has as many left. */
#define ROW(step, span)                                                                       \
    static void ISA(paeth_##step)(const uint8_t *restrict in, const uint8_t *restrict up,\
                                       uint8_t *restrict out, long n)                         \
    {                                                                                         \
        Wide a = {0}, c = {0};                                                                \
        long i = 0;                                                                           \
        for (; i + span <= n; i += step) {                                                    \
            const Wide b = load(up + i, span);                                                \
            a = nearest_sum(load(in + i, span), a, b, c), c = b;                              \
            store(a, out + i, span);                                                          \
        }                                                                                     \
        for (; i < n; i += step) {                                                            \
            const Wide b = load(up + i, step);                                                \
            a = nearest_sum(load(in + i, step), a, b, c), c = b;                              \
            store(a, out + i, step);                                                          \
        }                                                                                     \
    }                                                                                         \
    static void ISA(row_##step)(int kind, const uint8_t *restrict in, const uint8_t *restrict up,  \
                           uint8_t *restrict out, long n)                                     \
    {                                                                                         \
        uint8_t left[step] = {0};                                                             \
        switch (kind) {                                                                       \
        case SUB:                                                                             \
            for (long i = 0; i < n; i += step)                                                \
                for (int k = 0; k < step; k++)                                                \
                    out[i + k] = left[k] = (uint8_t)(in[i + k] + left[k]);                    \
            break;                                                                            \
        case AVERAGE:                                                                         \
            for (long i = 0; i < n; i += step)                                                \
                for (int k = 0; k < step; k++)                                                \
                    out[i + k] = left[k] =                                                    \
                        (uint8_t)(in[i + k] + ((left[k] + up[i + k]) >> 1));                  \
            break;                                                                            \
        default: ISA(paeth_##step)(in, up, out, n);                                                \
        }                                                                                     \
    }

ROW(1, 1)
ROW(2, 2)
ROW(3, 4)
ROW(4, 4)
ROW(6, 8)
ROW(8, 8)

static void ISA(one_row)(int kind, const uint8_t *restrict in, const uint8_t *restrict up,
                    uint8_t *restrict out, long n, long step)
{
    if (kind == NONE) {
        memcpy(out, in, (size_t)n);
    } else if (kind == UP) {
        for (long i = 0; i < n; i++) out[i] = (uint8_t)(in[i] + up[i]);
    } else {
        switch (step) {
        case 1: ISA(row_1)(kind, in, up, out, n); break;
        case 2: ISA(row_2)(kind, in, up, out, n); break;
        case 3: ISA(row_3)(kind, in, up, out, n); break;
        case 4: ISA(row_4)(kind, in, up, out, n); break;
        case 6: ISA(row_6)(kind, in, up, out, n); break;
        default: ISA(row_8)(kind, in, up, out, n);
        }
    }
}
#undef ROW
#endif

/* The two bytes of every sample change places. */
static void ISA(swap)(const uint8_t *restrict from, uint8_t *restrict to, long n)
{
    for (long i = 0; i + 2 <= n; i += 2) {
        uint16_t sample;
        memcpy(&sample, from + i, 2);
        sample = (uint16_t)(sample << 8 | sample >> 8);
        memcpy(to + i, &sample, 2);
    }
}

static void ISA(swap_here)(uint8_t *row, long n)
{
    for (long i = 0; i + 2 <= n; i += 2) {
        uint16_t sample;
        memcpy(&sample, row + i, 2);
        sample = (uint16_t)(sample << 8 | sample >> 8);
        memcpy(row + i, &sample, 2);
    }
}

/* The filter with the least sum. Before the first pixel of a row there are zeros. */
static int ISA(best_filter)(const uint8_t *restrict x, const uint8_t *restrict up, long n,
                              long step)
{
    uint8_t sub[BLOCK], above[BLOCK], average[BLOCK], paeth[BLOCK];
    uint64_t sums[5] = {0};
    for (long i = 0; i < step; i++) {
        sums[SUB] += size(x[i]);
        sums[UP] += size((uint8_t)(x[i] - up[i]));
        sums[AVERAGE] += size((uint8_t)(x[i] - (up[i] >> 1)));
        sums[PAETH] += size((uint8_t)(x[i] - up[i]));
    }
    for (long i = step; i < n; i += BLOCK) {
        const long m = n - i < BLOCK ? n - i : BLOCK;
        const uint8_t *restrict o = x + i, *restrict a = o - step;
        const uint8_t *restrict b = up + i, *restrict c = b - step;
        for (long j = 0; j < m; j++) {
            sub[j] = size((uint8_t)(o[j] - a[j]));
            above[j] = size((uint8_t)(o[j] - b[j]));
            average[j] = size((uint8_t)(o[j] - mean(a[j], b[j])));
            paeth[j] = size((uint8_t)(o[j] - nearest(a[j], b[j], c[j])));
        }
        sums[SUB] += total(sub, m);
        sums[UP] += total(above, m);
        sums[AVERAGE] += total(average, m);
        sums[PAETH] += total(paeth, m);
    }
    int best = SUB;
    for (int kind = UP; kind <= PAETH; kind++)
        if (sums[kind] < sums[best]) best = kind;
    return best;
}

static void ISA(filter_row)(const uint8_t *restrict x, const uint8_t *restrict up,
                              uint8_t *restrict out, long n, long step)
{
    const int kind = ISA(best_filter)(x, up, n, step);
    *out++ = (uint8_t)kind;
    switch (kind) {
    case SUB:
        memcpy(out, x, (size_t)step);
        for (long i = step; i < n; i++) out[i] = (uint8_t)(x[i] - x[i - step]);
        break;
    case UP:
        for (long i = 0; i < n; i++) out[i] = (uint8_t)(x[i] - up[i]);
        break;
    case AVERAGE:
        for (long i = 0; i < step; i++) out[i] = (uint8_t)(x[i] - (up[i] >> 1));
        for (long i = step; i < n; i++) out[i] = (uint8_t)(x[i] - mean(x[i - step], up[i]));
        break;
    default:
        for (long i = 0; i < step; i++) out[i] = (uint8_t)(x[i] - up[i]);
        for (long i = step; i < n; i++)
            out[i] = (uint8_t)(x[i] - nearest(x[i - step], up[i], up[i - step]));
    }
}

static const Isa ISA(isa) = {ISA_NAME, ISA(one_row), ISA(swap), ISA(swap_here), ISA(filter_row)};
