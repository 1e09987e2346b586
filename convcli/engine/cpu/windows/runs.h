/* Minima of runs along the rows, then of rows, on keys of one size. Included by isa.h with KEY, its
 * number of BITS, and K(name).
 *
 * A key is the sample as an unsigned number that sorts alike, all bits turned where the largest is
 * looked for, so that the least is always right; NaN has all bits set, and is picked last. */

typedef KEY K(vec) __attribute__((vector_size(VBYTES), aligned(1), may_alias));
typedef __typeof__((K(vec)){} < (K(vec)){}) K(mask);
#define LANES ((long)(VBYTES / sizeof(KEY)))
#define AHEAD 2 /* rows that are asked for before they are read */
#define FOUR (4 * LANES)
#define HIGH ((KEY)((KEY)1 << (BITS - 1)))
#define ALL ((KEY)~(KEY)0)
#define INFINITE ((KEY)(BITS == 32 ? 0x7f800000 : 0x7ff0000000000000))

#if VBYTES == 64 && BITS == 8
#define LEAST (K(vec)) _mm512_min_epu8((__m512i)a, (__m512i)b)
#elif VBYTES == 64 && BITS == 16
#define LEAST (K(vec)) _mm512_min_epu16((__m512i)a, (__m512i)b)
#elif VBYTES == 64 && BITS == 32
#define LEAST (K(vec)) _mm512_min_epu32((__m512i)a, (__m512i)b)
#elif VBYTES == 64
#define LEAST (K(vec)) _mm512_min_epu64((__m512i)a, (__m512i)b)
#elif VBYTES == 32 && BITS == 8
#define LEAST (K(vec)) _mm256_min_epu8((__m256i)a, (__m256i)b)
#elif VBYTES == 32 && BITS == 16
#define LEAST (K(vec)) _mm256_min_epu16((__m256i)a, (__m256i)b)
#elif VBYTES == 32 && BITS == 32
#define LEAST (K(vec)) _mm256_min_epu32((__m256i)a, (__m256i)b)
#elif defined(__x86_64__) && BITS == 8
#define LEAST (K(vec)) _mm_min_epu8((__m128i)a, (__m128i)b)
#endif

static inline __attribute__((always_inline)) K(vec) K(smaller)(K(vec) a, K(vec) b)
{
#ifdef LEAST
    return LEAST;
#else
    const K(vec) less = (K(vec))(a < b);
    return (a & less) | (b & ~less);
#endif
}
#undef LEAST

#define AT(p) (*(const K(vec) *)(p))
#define PUT(p) (*(K(vec) *)(p))

/* Runs of `have` cells make longer ones, up to `length`: of three that lie side by side or, at last,
 * overlap. `count` keys, in whole vectors; `to` may be `from`. Returns how many still count. */
static long K(lengthen)(KEY *to, const KEY *from, long have, long length, long gap, long count)
{
    while (have < length) {
        const long next = 3 * have < length ? 3 * have : length;
        const long third = (next - have) * gap, second = have * gap < third ? have * gap : third;
        count -= third;
        if (second == third)
            for (long i = 0; i < count; i += LANES)
                PUT(to + i) = K(smaller)(AT(from + i), AT(from + i + third));
        else
            for (long i = 0; i < count; i += LANES)
                PUT(to + i) = K(smaller)(K(smaller)(AT(from + i), AT(from + i + second)),
                                         AT(from + i + third));
        from = to;
        have = next;
    }
    return count;
}

/* Row `r` of runs joins those above it: the least of `height` rows, `gap` apart, goes to `to`.
 *
 * Rows are taken in blocks of `height`. The last so many rows are the end of one block and the start
 * of the next: `ends` holds the least from each row of the block before to its last one, and `start`
 * the least of the rows since. A row that is used up makes room for a new one.
 *
 * Source: M. van Herk (1992), and J. Gil and M. Werman (1993); see run_minima.py. */
static void K(stack)(const Lane *lane, KEY *lines, long gap, long pitch, long r, const KEY *from,
                     KEY *to, long count)
{
    const long place = r / gap % lane->height, last = place == lane->height - 1;
    KEY *start = lines + (lane->first + lane->depth + r % gap) * pitch;
    KEY *ends = start + gap * pitch, *own = ends + place * gap * pitch;
    const KEY *before = place ? start : from, *rest = last ? from : own + gap * pitch;
    for (long i = 0; i < count; i += LANES) {
        const K(vec) v = AT(from + i), least = K(smaller)(AT(before + i), v);
        PUT(to + i) = K(smaller)(least, AT(rest + i));
        PUT(start + i) = least;
        PUT(own + i) = v;
    }
    if (last)
        for (KEY *at = own - gap * pitch; at >= ends; at -= gap * pitch)
            for (long i = 0; i < count; i += LANES)
                PUT(at + i) = K(smaller)(AT(at + i), AT(at + gap * pitch + i));
}

/* Whether samples of a type have a sign, as keys do not. */
static int K(is_signed)(int64_t type) { return type == 'b' || type == 'h' || type == 'i' || type == 'l'; }

/* A vector of samples to keys. */
static inline __attribute__((always_inline)) K(vec) K(key)(K(vec) v, K(vec) turn, int floats)
{
    if (!floats) return v ^ turn;
    const K(vec) negative = (K(vec))((K(mask))v >> (BITS - 1));
    const K(vec) nan = (K(vec))((K(mask))(v & (KEY)~HIGH) > (K(mask))((K(vec)){} + INFINITE));
    return (v ^ (negative | HIGH) ^ turn) | nan;
}

/* Samples to keys, perhaps in place. */
static inline __attribute__((always_inline)) void
K(all_keys)(const KEY *from, KEY *to, long n, KEY turned, int floats)
{
    const K(vec) turn = (K(vec)){} + turned;
    long i = 0;
    for (; i + LANES <= n; i += LANES) PUT(to + i) = K(key)(AT(from + i), turn, floats);
    if (i == n) return;
    K(vec) rest = {};
    memcpy(&rest, from + i, (size_t)(n - i) * sizeof(KEY));
    rest = K(key)(rest, turn, floats);
    memcpy(to + i, &rest, (size_t)(n - i) * sizeof(KEY));
}

static void K(to_keys)(int64_t type, KEY turn, const KEY *from, KEY *to, long n)
{
    if (BITS >= 32 && (type == 'f' || type == 'd'))
        K(all_keys)(from, to, n, turn, 1);
    else
        K(all_keys)(from, to, n, turn ^ (K(is_signed)(type) ? HIGH : 0), 0);
}

/* Columns of a row of the tile's input as keys. */
static void K(load)(const Job *j, long r, long first, long stop, KEY *to)
{
    const long group = (long)j->p.channels;
    const int64_t row = j->rows[r];
    const KEY turn = j->p.largest ? ALL : 0;
    for (const Run *run = j->runs; run < j->runs + j->run_count; run++) {
        const long from = run->start > first ? run->start : first;
        const long end = run->start + run->count < stop ? run->start + run->count : stop;
        if (from >= end) continue;
        KEY *at = to + (from - first) * group;
        const KEY *source = at;
        if (row >= 0 && run->source >= 0 && run->step == 1)
            source = (const KEY *)j->src +
                     (row * (long)j->p.width + run->source + from - run->start) * group;
        else
            ISA(copy_run)(j, row, run, from, end, (char *)at);
        K(to_keys)(j->p.type, turn, source, at, (end - from) * group);
    }
}

/* Keys to samples. */
static inline __attribute__((always_inline)) K(vec) K(back)(K(vec) v, K(vec) turn, int floats)
{
    v ^= turn;
    if (floats) v ^= (K(vec))~((K(mask))v >> (BITS - 1)) | HIGH;
    return v;
}

/* The least of all terms, a vector of them. */
static inline __attribute__((always_inline)) K(vec)
K(pick)(const KEY *const *terms, long count, long i, K(vec) turn, int floats)
{
    K(vec) v = AT(terms[0] + i);
    for (long t = 1; t < count; t++) v = K(smaller)(v, AT(terms[t] + i));
    return K(back)(v, turn, floats);
}

/* `n` results, written past the caches or not. */
static inline __attribute__((always_inline)) void
K(finish)(const KEY *const *terms, long count, KEY *to, long n, const KEY *ahead, KEY turned,
          int floats, int past)
{
    const K(vec) turn = (K(vec)){} + turned;
    if (n < LANES) {
        const K(vec) v = K(pick)(terms, count, 0, turn, floats);
        memcpy(to, &v, (size_t)n * sizeof(KEY));
        return;
    }
    long i = 0;
    if (past) { /* only whole vectors of memory go past the caches */
        PUT(to) = K(pick)(terms, count, 0, turn, floats);
        i = (long)(-(uintptr_t)to % VBYTES / sizeof(KEY));
    }
    for (; i + FOUR <= n; i += FOUR) {
        for (long k = 0; k < FOUR; k += 64 / (long)sizeof(KEY)) __builtin_prefetch(ahead + i + k, 0, 2);
        K(vec) v[4];
        for (int k = 0; k < 4; k++) v[k] = AT(terms[0] + i + k * LANES);
        for (long t = 1; t < count; t++)
            for (int k = 0; k < 4; k++) v[k] = K(smaller)(v[k], AT(terms[t] + i + k * LANES));
        for (int k = 0; k < 4; k++) {
            v[k] = K(back)(v[k], turn, floats);
            if (past)
                STREAM(to + i + k * LANES, v[k]);
            else
                PUT(to + i + k * LANES) = v[k];
        }
    }
    for (; i < n; i += LANES) {
        const long at = i + LANES <= n ? i : n - LANES;
        PUT(to + at) = K(pick)(terms, count, at, turn, floats);
    }
}

/* Results of row `r` from column `left` on: every `stride`-th cell of what the terms say. */
static void K(store)(const Job *j, long r, long left, long width, const KEY *const *terms,
                     const KEY *ahead)
{
    const long group = (long)j->p.channels, leap = (long)j->p.col_stride * group;
    const int64_t type = j->p.type;
    const KEY turn = (j->p.largest ? ALL : 0) ^ (K(is_signed)(type) ? HIGH : 0);
    const int past = leap == group && j->p.stream && ALIGNED;
    KEY *to = (KEY *)j->dst + ((j->top + r) * (long)j->p.out_cols + j->left + left) * group;
    KEY *line = leap == group ? to : (KEY *)j->line;
    const long n = ((width - 1) * (long)j->p.col_stride + 1) * group;
    if (BITS >= 32 && (type == 'f' || type == 'd'))
        past ? K(finish)(terms, j->term_count, line, n, ahead, turn, 1, 1)
             : K(finish)(terms, j->term_count, line, n, ahead, turn, 1, 0);
    else
        past ? K(finish)(terms, j->term_count, line, n, ahead, turn, 0, 1)
             : K(finish)(terms, j->term_count, line, n, ahead, turn, 0, 0);
    if (leap != group)
        for (long i = 0; i < width; i++)
            for (long c = 0; c < group; c++) to[i * group + c] = line[i * leap + c];
}

/* One row of the input to all lanes. */
static void K(feed)(const Job *j, long r, long first, long stop)
{
    const long gap = (long)j->p.col_gap * (long)j->p.channels, pitch = j->pitch;
    KEY *lines = (KEY *)j->held, *line = (KEY *)j->spare, *from = NULL;
    long count = (stop - first) * (long)j->p.channels, have = 1;
    for (const Lane *lane = j->lanes; lane < j->lanes + j->lane_count; lane++) {
        KEY *own = lines + (lane->first + r % lane->depth) * pitch;
        KEY *to = lane->height > 1 ? line : own;
        if (!from) K(load)(j, r, first, stop, from = to);
        if (have < lane->length) {
            count = K(lengthen)(to, from, have, (long)lane->length, gap, count);
            from = to, have = (long)lane->length;
        }
        if (lane->height > 1) K(stack)(lane, lines, (long)j->p.row_gap, pitch, r, from, own, count);
    }
}

static const KEY *K(ahead)(const Job *j, long r, long first)
{
    if (r >= j->in_rows) r = j->in_rows - 1;
    const int64_t row = j->rows[r] < 0 ? 0 : j->rows[r], col = j->cols[first] < 0 ? 0 : j->cols[first];
    return (const KEY *)j->src + (row * (long)j->p.width + col) * (long)j->p.channels;
}

static void K(tile)(Job *j)
{
    const long stride = (long)j->p.row_stride, across = (long)j->p.col_stride;
    const long below = ((long)j->p.tall - 1) * (long)j->p.row_gap;
    const long beside = ((long)j->p.wide - 1) * (long)j->p.col_gap;
    const KEY **terms = (const KEY **)j->found;
    for (long left = 0; left < j->width; left += j->strip) {
        const long width = j->width - left < j->strip ? j->width - left : j->strip;
        const long first = left * across, stop = first + (width - 1) * across + 1 + beside;
        for (long r = 0; r < j->in_rows; r++) {
            K(feed)(j, r, first, stop);
            if (r < below || (r - below) % stride) continue;
            for (long t = 0; t < j->term_count; t++) {
                const Term *term = j->terms + t;
                const Lane *lane = j->lanes + term->lane;
                terms[t] = (const KEY *)j->held + term->left * (long)j->p.channels +
                           (lane->first + (r - term->back) % lane->depth) * j->pitch;
            }
            K(store)(j, (r - below) / stride, left, width, terms, K(ahead)(j, r + AHEAD, first));
        }
    }
}

#undef AHEAD
#undef FOUR
#undef AT
#undef PUT
#undef LANES
#undef HIGH
#undef ALL
#undef INFINITE
#undef KEY
#undef BITS
#undef K
