/* Samples of which some are missing, for one instruction set: what convcli/engine/cpu/voting.py does
 * with NumPy, in one pass where that takes ten. Included by isa.h.
 *
 * The loops have no branches, so that they are done on vectors. */

/* Samples with 0 where they are missing, and a mask with 1 where they are there; how many are
 * infinite, or NaN where that does not mean missing, goes to `strange`. Returns how many are
 * missing. NAN_OF(x) says that a sample is NaN, WILD(x) that it is no finite number. */
#define KNOWN(T, I, code, NAN_OF, WILD)                                                       \
    static long ISA(known_##code)(const T *restrict x, T *restrict kept, uint8_t *restrict mask, \
                                  long n, double value, int valued, int nan, long *strange)   \
    {                                                                                         \
        const T hole = (T)value;                                                              \
        const I any_value = (I)-(valued != 0), any_nan = (I)-(nan != 0);                      \
        long there = 0, wild = 0;                                                             \
        for (long a = 0; a < n; a += 4096) {                                                  \
            const long count = n - a < 4096 ? n - a : 4096;                                   \
            const T *restrict v = x + a;                                                      \
            T *restrict k = kept + a;                                                         \
            uint8_t *restrict m = mask + a;                                                   \
            I gone[4096];                                                                     \
            int32_t some = 0;                                                                 \
            for (long i = 0; i < count; i++)                                                  \
                gone[i] = (I)((v[i] == hole ? any_value : (I)0) | (NAN_OF(v[i]) ? any_nan : (I)0)); \
            for (long i = 0; i < count; i++) k[i] = gone[i] ? (T)0 : v[i];                    \
            for (long i = 0; i < count; i++) m[i] = (uint8_t)(gone[i] + 1);                   \
            for (long i = 0; i < count; i++) some += m[i];                                    \
            for (long i = 0; i < count; i++) gone[i] = WILD(k[i]) ? (I)-1 : (I)0;             \
            for (long i = 0; i < count; i++) wild -= gone[i];                                 \
            there += some;                                                                    \
        }                                                                                     \
        *strange = wild;                                                                      \
        return n - there;                                                                     \
    }
#define NEVER(v) 0
#define IS_NAN(v) ((v) != (v))
#define NOT_FINITE_F(v) !(__builtin_fabsf(v) <= 3.4028234663852886e38f)
#define NOT_FINITE_D(v) !(__builtin_fabs(v) <= 1.7976931348623157e308)
KNOWN(int8_t, int8_t, b, NEVER, NEVER)
KNOWN(uint8_t, int8_t, B, NEVER, NEVER)
KNOWN(int16_t, int16_t, h, NEVER, NEVER)
KNOWN(uint16_t, int16_t, H, NEVER, NEVER)
KNOWN(int32_t, int32_t, i, NEVER, NEVER)
KNOWN(uint32_t, int32_t, I, NEVER, NEVER)
KNOWN(float, int32_t, f, IS_NAN, NOT_FINITE_F)
KNOWN(double, int64_t, d, IS_NAN, NOT_FINITE_D)
#undef KNOWN
#undef NEVER
#undef IS_NAN
#undef NOT_FINITE_F
#undef NOT_FINITE_D

static long ISA(known)(const Known *k, long *strange)
{
    const long n = k->count;
    const double value = k->value;
    const int valued = k->valued, nan = k->nan;
#define OF(T, code, letter) \
    case letter:                                                                              \
        return ISA(known_##code)((const T *)k->x, (T *)k->kept, k->mask, n, value, valued, nan, strange)
    switch (k->type) {
    OF(int8_t, b, 'b');
    OF(uint8_t, B, 'B');
    OF(int16_t, h, 'h');
    OF(uint16_t, H, 'H');
    OF(int32_t, i, 'i');
    OF(uint32_t, I, 'I');
    OF(float, f, 'f');
    default:
        return ISA(known_d)((const double *)k->x, (double *)k->kept, k->mask, n, value, valued, nan,
                            strange);
    }
#undef OF
}

/* How many cells are there, as floats, of windows from `from` on. */
static void ISA(votes)(const Voted *j, float *restrict to, long from, long n)
{
    const uint8_t *restrict b = (const uint8_t *)j->votes + from;
    const uint16_t *restrict h = (const uint16_t *)j->votes + from;
    const float *restrict f = (const float *)j->votes + from;
    switch (j->vote_type) {
    case 'B':
        for (long i = 0; i < n; i++) to[i] = b[i];
        break;
    case 'H':
        for (long i = 0; i < n; i++) to[i] = h[i];
        break;
    default:
        for (long i = 0; i < n; i++) to[i] = f[i];
    }
}

/* Results of windows: `WINDOW` is what one gives that lacks samples, T the type of all. Products are
 * kept apart from the sums that follow them, as in NumPy: loops over a block in the cache. */
#define VOTED(T, name, LACKING)                                                               \
    static long ISA(voted_##name)(const Voted *j)                                             \
    {                                                                                         \
        T *restrict values = (T *)j->values;                                                  \
        const T *restrict weights = (const T *)j->weights;                                    \
        const T *restrict under = (const T *)j->under;                                        \
        const double *restrict precise = j->precise, *restrict present = j->present;          \
        const uint8_t *restrict centre = j->centre;                                           \
        uint8_t *restrict found = j->found;                                                   \
        const float taps = (float)j->taps, least = (float)j->least;                           \
        const T scale = (T)j->scale, gain = (T)j->gain, bias = (T)j->bias;                    \
        const double total = j->total, times = j->scale;                                      \
        const T hole = (T)j->hole;                                                            \
        const uint8_t fill = j->fill != 0;                                                    \
        long lost = 0;                                                                        \
        (void)weights, (void)under, (void)precise, (void)present, (void)gain, (void)total;    \
        (void)times;                                                                          \
        for (long a = 0; a < j->count; a += 2048) {                                           \
            const long b = a + 2048 < j->count ? a + 2048 : j->count;                         \
            int32_t none = 0;                                                                 \
            T mended[2048];                                                                   \
            float counts[2048];                                                               \
            const float *restrict votes = counts - a;                                         \
            ISA(votes)(j, counts, a, b - a);                                                  \
            for (long i = a; i < b; i++) mended[i - a] = LACKING;                             \
            for (long i = a; i < b; i++) {                                                    \
                const T plain = values[i] * scale;                                            \
                values[i] = votes[i] == taps ? plain : mended[i - a];                         \
            }                                                                                 \
            for (long i = a; i < b; i++) values[i] += bias;                                   \
            if (j->absolute)                                                                  \
                for (long i = a; i < b; i++) values[i] = values[i] < 0 ? -values[i] : values[i]; \
            for (long i = a; i < b; i++) {                                                    \
                const uint8_t there = (uint8_t)((votes[i] >= least) & (fill | centre[i]));    \
                found[i] = there;                                                             \
                none += !there;                                                               \
                values[i] = there ? values[i] : hole;                                         \
            }                                                                                 \
            lost += none;                                                                     \
        }                                                                                     \
        return lost;                                                                          \
    }
VOTED(float, counted_f, values[i] * gain / (votes[i] * (float)total))
VOTED(double, counted_d, values[i] * gain / ((double)votes[i] * total))
VOTED(float, weighted_f, values[i] * gain / weights[i])
VOTED(double, weighted_d, values[i] * gain / weights[i])
VOTED(float, centred_f, (float)(times * (precise[i] + (total - present[i]) * (double)under[i])))
VOTED(double, centred_d, times * (precise[i] + (total - present[i]) * under[i]))
VOTED(float, plain_f, values[i] * scale)
VOTED(double, plain_d, values[i] * scale)
#undef VOTED

/* `way`: counted, weighted (w), centred (m), plain. */
static long ISA(voted)(const Voted *j)
{
    const int d = j->type == 'd';
    switch (j->way) {
    case 'c': return d ? ISA(voted_counted_d)(j) : ISA(voted_counted_f)(j);
    case 'w': return d ? ISA(voted_weighted_d)(j) : ISA(voted_weighted_f)(j);
    case 'm': return d ? ISA(voted_centred_d)(j) : ISA(voted_centred_f)(j);
    default: return d ? ISA(voted_plain_d)(j) : ISA(voted_plain_f)(j);
    }
}
