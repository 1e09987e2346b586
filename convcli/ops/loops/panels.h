/* Sums of products for a panel of MR output channels, or FEW, and up to NV vectors of cells, for one
 * type T. Included by tensors_isa.h.
 *
 * MR * NV sums live in registers; each term costs NV loads of cells and MR weights, which lie one
 * behind the other (`pack`), so that one pointer serves them all. */

typedef T NAME(vector) __attribute__((vector_size(VBYTES), aligned(sizeof(T))));

#define LANES ((long)(VBYTES / sizeof(T)))
#define LOAD(p) (*(const NAME(vector) *)(p))
#define STORE(p) *(NAME(vector) *)(p)

/* Add the terms of `mr` channels over `nv` vectors of cells, in their order, to what stands in rows
 * `step` apart from `to` on, or to `begin`, one value for each channel. Of the rows the first
 * `count` are kept. */
#define PANEL(name, mr, nv)                                                                      \
    INLINE void NAME(name)(const T *cells, const int64_t *offsets, long depth, const T *weights, \
                           const T *begin, T *to, long step, long count)                         \
    {                                                                                            \
        NAME(vector) sums[mr][nv];                                                               \
        UNROLL for (int m = 0; m < (mr); m++)                                                    \
            UNROLL for (int v = 0; v < (nv); v++)                                                \
                sums[m][v] = begin ? (NAME(vector)){0} + begin[m]                                \
                                   : LOAD(to + (m < count ? m : 0) * step + v * LANES);          \
        for (long k = 0; k < depth; k++, weights += (mr)) {                                      \
            const T *at = cells + offsets[k];                                                    \
            NAME(vector) x[nv];                                                                  \
            UNROLL for (int v = 0; v < (nv); v++) x[v] = LOAD(at + v * LANES);                   \
            UNROLL for (int m = 0; m < (mr); m++)                                                \
                UNROLL for (int v = 0; v < (nv); v++) sums[m][v] += x[v] * weights[m];           \
        }                                                                                        \
        UNROLL for (int m = 0; m < (mr); m++)                                                    \
            if (m < count)                                                                       \
                UNROLL for (int v = 0; v < (nv); v++) STORE(to + m * step + v * LANES) = sums[m][v]; \
    }

/* The same for up to NV vectors, `nv`. */
#define PANELS(name, mr)                                                                          \
    PANEL(name##3, mr, NV) PANEL(name##2, mr, 2) PANEL(name##1, mr, 1)                            \
    static void NAME(name)(long nv, const T *cells, const int64_t *offsets, long depth,           \
                           const T *weights, const T *begin, T *to, long step, long count)        \
    {                                                                                             \
        if (nv == 1)                                                                              \
            NAME(name##1)(cells, offsets, depth, weights, begin, to, step, count);                \
        else if (nv == 2)                                                                         \
            NAME(name##2)(cells, offsets, depth, weights, begin, to, step, count);                \
        else                                                                                      \
            NAME(name##3)(cells, offsets, depth, weights, begin, to, step, count);                \
    }
PANELS(panel, MR)
#if MR > FEW
PANELS(few, FEW)
#define PANEL_OF(mr) ((mr) == FEW ? NAME(few) : NAME(panel))
#else
#define PANEL_OF(mr) NAME(panel)
#endif
#define THIN(nv) PANEL(thin##nv, 1, nv)
THIN(1) THIN(2) THIN(3) THIN(4) THIN(5) THIN(6) THIN(7) THIN(8)

/* One channel over up to `nv` vectors; returns how many of them were done. */
static long NAME(thin)(long nv, const T *cells, const int64_t *offsets, long depth,
                       const T *weights, const T *begin, T *to)
{
    switch (nv) {
#define CASE(nv) case nv: NAME(thin##nv)(cells, offsets, depth, weights, begin, to, 0, 1); return nv;
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
    default: NAME(thin8)(cells, offsets, depth, weights, begin, to, 0, 1); return 8;
#undef CASE
    }
}

/* `count` rows of weights (rows, depth) as depth times `mr`; zeros beyond. */
static void NAME(pack)(const T *weights, long depth, long count, long mr, T *to)
{
    if (mr == 1) {
        memcpy(to, weights, (size_t)depth * sizeof(T));
        return;
    }
    if (mr == MR && count == MR) {
        for (long k = 0; k < depth; k++)
            UNROLL for (int m = 0; m < MR; m++) to[k * MR + m] = weights[m * depth + k];
        return;
    }
    for (long k = 0; k < depth; k++)
        for (long m = 0; m < mr; m++) to[k * mr + m] = m < count ? weights[m * depth + k] : 0;
}
