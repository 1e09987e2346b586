/* From sums to samples in working type W, for one instruction set: the formula of
 * convcli/engine/requantize.py, in the same order. Included by isa.h with W and FIN(name) defined.
 *
 * Each operation is a loop of its own over a block that stays in the first-level cache, so no
 * product is fused with the sum that follows it, and float64 rounds as it does in NumPy.
 */

/* Clamp, round and store; returns how many samples lie outside, if they are counted. */
#define STORE(O, code)                                                                    \
    static __attribute__((noinline)) long FIN(store_##code)(const Job *job, O *restrict out, long step, \
                                  const W *restrict v, long n)                            \
    {                                                                                     \
        const W bottom = (W)job->low, top = (W)job->limit;                                \
        const W low = (W)(job->low + FIN_LOW), high = (W)(job->limit + FIN_HIGH);         \
        const int count = job->count;                                                     \
        long outside = 0;                                                                 \
        if (step != 1 || !count) {                                                        \
            for (long i = 0; count && i < n; i++)                                         \
                outside += (v[i] < low) | FIN_ABOVE(v[i], high);                          \
            for (long i = 0; step == 1 && i < n; i++) {                                   \
                W t = v[i] > bottom ? v[i] : bottom; /* NaN becomes black */              \
                t = t < top ? t : top;                                                    \
                out[i] = (O)FIN_WHOLE(t);                                                 \
            }                                                                             \
            for (long i = 0; step != 1 && i < n; i++) {                                   \
                W t = v[i] > bottom ? v[i] : bottom;                                      \
                t = t < top ? t : top;                                                    \
                out[i * step] = (O)FIN_WHOLE(t);                                          \
            }                                                                             \
            return outside;                                                               \
        }                                                                                 \
        for (long a = 0; a < n; a += 8192) { /* in a counter as narrow as the values */   \
            const long b = a + 8192 < n ? a + 8192 : n;                                   \
            FIN_COUNTER some = 0;                                                         \
            for (long i = a; i < b; i++) {                                                \
                some += (FIN_COUNTER)((v[i] < low) | FIN_ABOVE(v[i], high));              \
                W t = v[i] > bottom ? v[i] : bottom;                                      \
                t = t < top ? t : top;                                                    \
                out[i] = (O)FIN_WHOLE(t);                                                 \
            }                                                                             \
            outside += some;                                                              \
        }                                                                                 \
        return outside;                                                                   \
    }
STORE(uint8_t, B)
STORE(int8_t, b)
STORE(uint16_t, H)
STORE(int16_t, h)
#ifndef FIN_FLOAT
STORE(uint32_t, I)
STORE(int32_t, i)
#endif
#undef STORE

#ifdef FIN_DOUBLE
/* The same to 64 bits: their largest number is one less than the double at their end. */
#define STORE(O, code, most)                                                              \
    static __attribute__((noinline)) long FIN(store_##code)(const Job *job, O *restrict out, long step, \
                                  const double *restrict v, long n)                       \
    {                                                                                     \
        const double bottom = job->low, top = job->limit;                                 \
        long outside = 0;                                                                 \
        for (long i = 0; i < n; i++) {                                                    \
            const double t = __builtin_rint(v[i]);                                        \
            outside += job->count && ((t < bottom) | (t >= top));                         \
            out[i * step] = t >= top ? most : t > bottom ? (O)t : (O)bottom;              \
        }                                                                                 \
        return outside;                                                                   \
    }
STORE(uint64_t, L, UINT64_MAX)
STORE(int64_t, l, INT64_MAX)
#undef STORE
#endif

/* Finish samples [from, from + n) of the tile, of plane `plane` and output row `row`; `kept` holds
 * what earlier members of a stack left there. */
static __attribute__((noinline)) long FIN(row)(const Job *job, W *restrict v, W *restrict kept, long plane, long row,
                     long from, long n)
{
    if (job->scale != 1.0) {
        const W scale = (W)job->scale;
        for (long i = 0; i < n; i++) v[i] *= scale;
    }
    if (job->combine == 'm' || job->combine == 'x') {
        if (job->combine == 'm')
            for (long i = 0; i < n; i++) v[i] *= v[i];
        if (plane == 0)
            memcpy(kept, v, (size_t)n * sizeof(W));
        else if (job->combine == 'm')
            for (long i = 0; i < n; i++) kept[i] += v[i];
        else
            for (long i = 0; i < n; i++) kept[i] = kept[i] > v[i] ? kept[i] : v[i];
        if (plane < job->planes - 1) return 0;
        v = kept;
        if (job->combine == 'm')
            for (long i = 0; i < n; i++) v[i] = (W)FIN_SQRT(v[i]);
    }
    if (job->bias != 0.0) {
        const W bias = (W)FIN_CAST job->bias;
        for (long i = 0; i < n; i++) v[i] += bias;
    }
    if (job->absolute)
        for (long i = 0; i < n; i++) v[i] = (W)(v[i] < 0 ? -v[i] : v[i]);
    if (job->offset != 0.0) {
        const W offset = (W)FIN_CAST job->offset;
        for (long i = 0; i < n; i++) v[i] += offset;
    }
    if (job->ratio != 1.0) {
        const W ratio = (W)job->ratio;
        for (long i = 0; i < n; i++) v[i] *= ratio;
    }
    const long bank = job->combine == 'b';
    const long step = bank ? job->out_channels : 1;
    char *to = (char *)job->dst + ((row * job->out_cols + job->left) * job->out_channels +
                                   (bank ? plane : 0) + from * step) * job->out_size;
    Packed packed;
    long clipped = 0;
    switch (job->out_type) {
#define PUT(letter, O, code)                                                                   \
    case letter:                                                                               \
        if (!job->stream || step != 1) return FIN(store_##code)(job, (O *)to, step, v, n);     \
        for (long a = 0; a < n; a += FIN_BLOCK / (long)sizeof(O)) {                            \
            const long room = FIN_BLOCK / (long)sizeof(O), some = n - a < room ? n - a : room; \
            clipped += FIN(store_##code)(job, packed.code, 1, v + a, some);                    \
            ISA(stream)(to + a * (long)sizeof(O), (char *)packed.code,                         \
                        (size_t)some * sizeof(O));                                             \
        }                                                                                      \
        break;
        PUT('B', uint8_t, B)
        PUT('b', int8_t, b)
        PUT('H', uint16_t, H)
        PUT('h', int16_t, h)
#ifndef FIN_FLOAT
        PUT('I', uint32_t, I)
        PUT('i', int32_t, i)
#endif
#ifdef FIN_DOUBLE
        PUT('L', uint64_t, L)
        PUT('l', int64_t, l)
#endif
#undef PUT
    case 'f':
#ifdef FIN_FLOAT
        if (job->stream && step == 1) {
            ISA(stream)(to, (const char *)v, (size_t)n * sizeof(float));
            break;
        }
#endif
        for (long i = 0; i < n; i++) ((float *)to)[i * step] = (float)v[i];
        break;
    default:
        for (long i = 0; i < n; i++) ((double *)to)[i * step] = (double)v[i];
    }
    return clipped;
}
