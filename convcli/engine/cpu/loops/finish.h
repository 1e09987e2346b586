/* From sums to samples in working type W, for one instruction set: the formula of
 * convcli/engine/requantize.py, in the same order. Included by isa.h with W and FIN(name) defined.
 *
 * Each operation is a loop of its own over a block that stays in the first-level cache, so no
 * product is fused with the sum that follows it, and float64 rounds as it does in NumPy.
 */

/* Clamp, round and store; returns how many samples lie outside, if they are counted. */
#define STORE(O, code)                                                                    \
    static long FIN(store_##code)(O *restrict out, long step, const W *restrict v,        \
                                  double limit, int count, long n)                        \
    {                                                                                     \
        const W top = (W)limit, low = (W)FIN_LOW, high = (W)(limit + FIN_HIGH);           \
        long outside = 0;                                                                 \
        if (step != 1 || !count) {                                                        \
            for (long i = 0; count && i < n; i++)                                         \
                outside += (v[i] < low) | FIN_ABOVE(v[i], high);                          \
            for (long i = 0; step == 1 && i < n; i++) {                                   \
                W t = v[i] > 0 ? v[i] : 0; /* NaN becomes black */                        \
                t = t < top ? t : top;                                                    \
                out[i] = (O)FIN_WHOLE(t);                                                 \
            }                                                                             \
            for (long i = 0; step != 1 && i < n; i++) {                                   \
                W t = v[i] > 0 ? v[i] : 0;                                                \
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
                W t = v[i] > 0 ? v[i] : 0;                                                \
                t = t < top ? t : top;                                                    \
                out[i] = (O)FIN_WHOLE(t);                                                 \
            }                                                                             \
            outside += some;                                                              \
        }                                                                                 \
        return outside;                                                                   \
    }
STORE(uint8_t, B)
STORE(uint16_t, H)
#undef STORE

/* Finish samples [from, from + n) of the tile, of plane `plane` and output row `row`; `kept` holds
 * what earlier members of a stack left there. */
static long FIN(row)(const Job *job, W *restrict v, W *restrict kept, long plane, long row,
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
    long clipped = 0;
    switch (job->out_type) {
    case 'B':
        for (long a = 0; job->stream && step == 1 && a < n; a += FIN_BLOCK) {
            uint8_t packed[FIN_BLOCK] __attribute__((aligned(64)));
            const long some = n - a < FIN_BLOCK ? n - a : FIN_BLOCK;
            clipped += FIN(store_B)(packed, 1, v + a, job->limit, job->count, some);
            ISA(stream)(to + a * (long)sizeof(uint8_t), (char *)packed, (size_t)some * sizeof(uint8_t));
        }
        if (!job->stream || step != 1)
            clipped = FIN(store_B)((uint8_t *)to, step, v, job->limit, job->count, n);
        break;
    case 'H':
        for (long a = 0; job->stream && step == 1 && a < n; a += FIN_BLOCK) {
            uint16_t packed[FIN_BLOCK] __attribute__((aligned(64)));
            const long some = n - a < FIN_BLOCK ? n - a : FIN_BLOCK;
            clipped += FIN(store_H)(packed, 1, v + a, job->limit, job->count, some);
            ISA(stream)(to + a * (long)sizeof(uint16_t), (char *)packed, (size_t)some * sizeof(uint16_t));
        }
        if (!job->stream || step != 1)
            clipped = FIN(store_H)((uint16_t *)to, step, v, job->limit, job->count, n);
        break;
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
