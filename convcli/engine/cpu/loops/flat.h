/* Means of a rectangle of bytes, all weights one, two output rows at a time. Included by bytes.h.
 *
 * Columns are added up first: the rows that both outputs cover once for the two of them, kept in
 * 16 bits in the first-level cache. Each sample is then a sum of few of those, divided as
 * convcli/engine/cpu/box_mean.py says. */

typedef uint8_t SUM(half) __attribute__((vector_size(VBYTES / 2), aligned(1), may_alias));
typedef uint16_t SUM(full) __attribute__((vector_size(VBYTES), aligned(2), may_alias));

/* Sums of columns of rows 0 to tall - 1, and of rows 1 to tall; n is rounded up to registers. */
static inline __attribute__((always_inline)) void SUM(columns)(
    uint16_t *restrict first, uint16_t *restrict second, const uint8_t *const *restrict row,
    long tall, long n)
{
    for (long x = 0; x < n; x += VBYTES / 2) {
#define WIDENED(r) __builtin_convertvector(*(const SUM(half) *)(row[r] + x), SUM(full))
        SUM(full) both = WIDENED(1);
        for (long r = 2; r < tall; r++) both += WIDENED(r);
        *(SUM(full) *)(first + x) = both + WIDENED(0);
        *(SUM(full) *)(second + x) = both + WIDENED(tall);
#undef WIDENED
    }
}

/* Samples out of sums of columns, `leap` apart. */
static inline __attribute__((always_inline)) void SUM(divide)(
    const Job *job, uint8_t *restrict out, const uint16_t *restrict column, long broad, long leap,
    long n)
{
    const SUM(reg) add = REG(set1_epi16)((short)job->add);
    const SUM(reg) multiply = REG(set1_epi16)((short)job->multiply);
    const __m128i shift = _mm_cvtsi32_si128((int)job->shift);
    long x = 0;
    for (; x + VBYTES <= n; x += VBYTES) {
        SUM(reg) low = add, high = add;
        for (long c = 0; c < broad; c++) {
            low = REG(add_epi16)(low, LOADED(column + x + c * leap));
            high = REG(add_epi16)(high, LOADED(column + x + c * leap + VBYTES / 2));
        }
        low = REG(srl_epi16)(REG(mulhi_epu16)(low, multiply), shift);
        high = REG(srl_epi16)(REG(mulhi_epu16)(high, multiply), shift);
        STORED(out + x, ISA(packed)(low, high));
    }
    for (; x < n; x++) {
        uint16_t sum = (uint16_t)job->add;
        for (long c = 0; c < broad; c++) sum = (uint16_t)(sum + column[x + c * leap]);
        const uint32_t sample = ((uint32_t)sum * (uint32_t)job->multiply >> 16) >> job->shift;
        out[x] = sample < 255 ? (uint8_t)sample : 255;
    }
}

/* Samples [x, x + n) of two output rows, n at most SUM(BLOCK), from tall + 1 rows of bytes. */
static void SUM(flat)(const Job *job, uint8_t *restrict first, uint8_t *restrict second,
                      const uint8_t *const *restrict row, long n)
{
    uint16_t upper[SUM(BLOCK) + FLAT_SHIFT + VBYTES] __attribute__((aligned(64)));
    uint16_t lower[SUM(BLOCK) + FLAT_SHIFT + VBYTES] __attribute__((aligned(64)));
    const long tall = job->reach, broad = job->flat, leap = (long)job->taps[1].shift;
    const long wide = n + (broad - 1) * leap;
    if (tall == 3 && broad == 3) { /* the loops over them unrolled */
        SUM(columns)(upper, lower, row, 3, wide);
        SUM(divide)(job, first, upper, 3, leap, n);
        SUM(divide)(job, second, lower, 3, leap, n);
    } else {
        SUM(columns)(upper, lower, row, tall, wide);
        SUM(divide)(job, first, upper, broad, leap, n);
        SUM(divide)(job, second, lower, broad, leap, n);
    }
}
