/* The loops over rows, compiled once per instruction set. Included by rows.c through clones.h. */

#if VBYTES == 64 /* comparisons of short vectors take longer with AVX-512's masks */
#define avx512_one_row avx2_one_row
#define avx512_two_rows avx2_two_rows
#else
/* A row pixel by pixel: x, the one to the left a, the one above b, and c to the left of that, each
 * in a vector. `up` is the row above, all zero for the first. Pixels are read and written `span`
 * bytes at a time, the excess to be overwritten, where the row has as many left. */
#define PIXELS(name, step, span, Vector, kind, next)                                          \
    static void ISA(name##_##step)(const uint8_t *restrict in, const uint8_t *restrict up,    \
                                   uint8_t *restrict out, long n)                             \
    {                                                                                         \
        Vector a = {0}, c = {0};                                                              \
        long i = 0;                                                                           \
        (void)c;                                                                              \
        for (; i + span <= n; i += step) {                                                    \
            const Vector x = load_##kind(in + i, span), b = load_##kind(up + i, span);        \
            a = next, c = b;                                                                  \
            store_##kind(a, out + i, span);                                                   \
        }                                                                                     \
        for (; i < n; i += step) {                                                            \
            const Vector x = load_##kind(in + i, step), b = load_##kind(up + i, step);        \
            a = next, c = b;                                                                  \
            store_##kind(a, out + i, step);                                                   \
        }                                                                                     \
    }
/* Two rows of Paeth's at a time, the second a pixel behind the first, whose pixels it has above: a
 * sum takes long, and that of the other row goes on beside it. */
#define PAIR(step, span)                                                                      \
    static void ISA(paeths_##step)(const uint8_t *restrict in, const uint8_t *restrict up,    \
                                   uint8_t *restrict out, long n)                             \
    {                                                                                         \
        const uint8_t *in2 = in + n + 1 - step;                                               \
        uint8_t *out2 = out + n - step;                                                       \
        Wide a = {0}, c = {0}, a2 = {0}, c2 = {0};                                            \
        long i = 0;                                                                           \
        for (; i < n; i += step) {                                                            \
            const Wide above = a;                                                             \
            if (i + span <= n) {                                                              \
                const Wide b = load_wide(up + i, span);                                       \
                a = nearest_sum_in_turn(load_wide(in + i, span), a, b, c), c = b;             \
                store_wide(a, out + i, span);                                                 \
            } else {                                                                          \
                const Wide b = load_wide(up + i, step);                                       \
                a = nearest_sum_in_turn(load_wide(in + i, step), a, b, c), c = b;             \
                store_wide(a, out + i, step);                                                 \
            }                                                                                 \
            if (i) {                                                                          \
                a2 = nearest_sum_in_turn(load_wide(in2 + i, span), a2, above, c2), c2 = above;\
                store_wide(a2, out2 + i, span);                                               \
            }                                                                                 \
        }                                                                                     \
        store_wide(nearest_sum_in_turn(load_wide(in2 + n, step), a2, a, c2), out2 + n, step); \
    }
/* Or byte by byte, which is faster for one or two. */
#define BYTES(name, step, next)                                                               \
    static void ISA(name##_##step)(const uint8_t *restrict in, const uint8_t *restrict up,    \
                                   uint8_t *restrict out, long n)                             \
    {                                                                                         \
        uint8_t left[step] = {0};                                                             \
        (void)up;                                                                             \
        for (long i = 0; i < n; i += step)                                                    \
            for (int k = 0; k < step; k++) {                                                  \
                const uint8_t x = in[i + k], a = left[k], b = up[i + k];                      \
                (void)b;                                                                      \
                out[i + k] = left[k] = (uint8_t)(next);                                       \
            }                                                                                 \
    }
#define ROW(step)                                                                             \
    static void ISA(row_##step)(int kind, const uint8_t *restrict in,                         \
                                const uint8_t *restrict up, uint8_t *restrict out, long n)    \
    {                                                                                         \
        switch (kind) {                                                                       \
        case SUB: ISA(sub_##step)(in, up, out, n); break;                                     \
        case AVERAGE: ISA(average_##step)(in, up, out, n); break;                             \
        default: ISA(paeth_##step)(in, up, out, n);                                           \
        }                                                                                     \
    }
#define SHORT_ROW(step)                                                                       \
    BYTES(sub, step, x + a)                                                                   \
    BYTES(average, step, x + ((a + b) >> 1))                                                  \
    PIXELS(paeth, step, step, Wide, wide, nearest_sum(x, a, b, c))                            \
    PAIR(step, step)                                                                          \
    ROW(step)
#define LONG_ROW(step, span)                                                                  \
    PIXELS(sub, step, span, Bytes, bytes, x + a)                                              \
    PIXELS(average, step, span, Bytes, bytes, x + mean_of_each(a, b))                         \
    PIXELS(paeth, step, span, Wide, wide, nearest_sum(x, a, b, c))                            \
    PAIR(step, span)                                                                          \
    ROW(step)

SHORT_ROW(1)
SHORT_ROW(2)
LONG_ROW(3, 4)
LONG_ROW(4, 4)
LONG_ROW(6, 8)
LONG_ROW(8, 8)

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

/* Two rows of Paeth's, one after the other in `in`, a filter byte between them, and in `out`. */
static void ISA(two_rows)(const uint8_t *restrict in, const uint8_t *restrict up,
                          uint8_t *restrict out, long n, long step)
{
    switch (step) {
    case 1: ISA(paeths_1)(in, up, out, n); break;
    case 2: ISA(paeths_2)(in, up, out, n); break;
    case 3: ISA(paeths_3)(in, up, out, n); break;
    case 4: ISA(paeths_4)(in, up, out, n); break;
    case 6: ISA(paeths_6)(in, up, out, n); break;
    default: ISA(paeths_8)(in, up, out, n);
    }
}
#undef PAIR
#undef PIXELS
#undef BYTES
#undef ROW
#undef SHORT_ROW
#undef LONG_ROW
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
    static uint8_t zeros[BLOCK];
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
        sums[SUB] += total(sub, zeros, m);
        sums[UP] += total(above, zeros, m);
        sums[AVERAGE] += total(average, zeros, m);
        sums[PAETH] += total(paeth, zeros, m);
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

static const Isa ISA(isa) = {
    ISA_NAME, ISA(one_row), ISA(two_rows), ISA(swap), ISA(swap_here), ISA(filter_row),
};
