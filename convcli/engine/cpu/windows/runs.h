/* Minima of runs along the rows, then of rows, on keys of one size. Included by isa.h with KEY, its
 * number of BITS, and K(name).
 *
 * A key is the sample as an unsigned number that sorts alike, all bits turned where the largest is
 * looked for, so that the least is always right; NaN has all bits set, and is picked last. */

typedef KEY K(vec) __attribute__((vector_size(VBYTES), aligned(1), may_alias));
#define LANES ((long)(VBYTES / sizeof(KEY)))
#define HIGH ((KEY)((KEY)1 << (BITS - 1)))
#define ALL ((KEY)~(KEY)0)

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

#define AT(p) (*(const K(vec) *)((p) + i))

/* The smaller of two rows, `count` keys, in whole vectors; `to` may be `a`. */
static inline __attribute__((always_inline)) void
K(least)(KEY *to, const KEY *a, const KEY *b, long count)
{
    for (long i = 0; i < count; i += LANES) *(K(vec) *)(to + i) = K(smaller)(AT(a), AT(b));
}

/* The least of three, likewise. */
static inline __attribute__((always_inline)) void
K(least_of_three)(KEY *to, const KEY *a, const KEY *b, const KEY *c, long count)
{
    for (long i = 0; i < count; i += LANES)
        *(K(vec) *)(to + i) = K(smaller)(K(smaller)(AT(a), AT(b)), AT(c));
}
#undef AT

/* Runs of `have` cells make longer ones, up to `length`: of three that lie side by side or, at last,
 * overlap. Returns how far the second and the third lie, and how long the result is. */
static inline long K(step)(long have, long length, long *second, long *third)
{
    const long next = 3 * have < length ? 3 * have : length;
    *second = have < next - have ? have : next - have;
    *third = next - have;
    return next;
}

/* Samples to keys. */
static void K(to_keys)(int64_t type, KEY turn, const KEY *restrict from, KEY *restrict to, long n)
{
    if (type == 'b' || type == 'h' || type == 'i' || type == 'l') turn ^= HIGH;
#if BITS >= 32
    if (type == 'f' || type == 'd') {
        const KEY infinite = BITS == 32 ? (KEY)0x7f800000 : (KEY)0x7ff0000000000000;
        for (long i = 0; i < n; i++) {
            const KEY bits = from[i], negative = (KEY)(0 - (bits >> (BITS - 1)));
            const KEY nan = (bits & (KEY)~HIGH) > infinite ? ALL : 0;
            to[i] = (KEY)(bits ^ (negative | HIGH) ^ turn) | nan;
        }
        return;
    }
#endif
    for (long i = 0; i < n; i++) to[i] = from[i] ^ turn;
}

/* A row of the tile's input as keys. */
static void K(load)(const Job *j, long r, KEY *to)
{
    const long group = (long)j->p.channels;
    const int64_t row = j->rows[r];
    const KEY turn = j->p.largest ? ALL : 0;
    for (const Run *run = j->runs; run < j->runs + j->run_count; run++) {
        KEY *at = to + run->start * group;
        if (row < 0 || run->source < 0)
            for (long k = 0; k < run->count * group; k++)
                K(to_keys)(j->p.type, turn, (const KEY *)j->outside, at + k, 1);
        else
            K(to_keys)(j->p.type, turn,
                       (const KEY *)j->src + (row * (long)j->p.width + run->source) * group, at,
                       run->count * group);
    }
}

/* A row of keys to samples, every `stride`-th cell. */
static void K(store)(const Job *j, long r, const KEY *keys)
{
    const long group = (long)j->p.channels, n = j->width * group, leap = (long)j->p.col_stride * group;
    KEY *to = (KEY *)j->dst + ((j->top + r) * (long)j->p.out_cols + j->left) * group;
    KEY turn = j->p.largest ? ALL : 0;
    const int64_t type = j->p.type;
    if (leap != group) {
        for (long i = 0; i < j->width; i++)
            for (long c = 0; c < group; c++) to[i * group + c] = keys[i * leap + c];
        keys = to;
    }
#if BITS >= 32
    if (type == 'f' || type == 'd') {
        for (long i = 0; i < n; i++) {
            const KEY bits = keys[i] ^ turn, negative = (KEY)((bits >> (BITS - 1)) - 1);
            to[i] = bits ^ (negative | HIGH);
        }
        return;
    }
#endif
    if (type == 'b' || type == 'h' || type == 'i' || type == 'l') turn ^= HIGH;
    for (long i = 0; i < n; i++) to[i] = keys[i] ^ turn;
}

/* Runs of `have` cells grow to `length`, one row, in place; returns how many keys still count. */
static long K(lengthen)(KEY *row, long have, long length, long gap, long count)
{
    while (have < length) {
        long second, third;
        const long next = K(step)(have, length, &second, &third);
        count -= (next - have) * gap;
        if (second == third)
            K(least)(row, row, row + third * gap, count);
        else
            K(least_of_three)(row, row, row + second * gap, row + third * gap, count);
        have = next;
    }
    return count;
}

/* Rows grow to blocks of `height`, into `to` (which may be `from`); returns where they are. The
 * last step is left to the caller if `rest` is given: what it takes, 0 for nothing. */
static const KEY *K(heighten)(const Job *j, const KEY *from, KEY *to, long rows, long height,
                              long count, long rest[2])
{
    const long gap = (long)j->p.row_gap * j->pitch;
    if (rest) rest[0] = rest[1] = 0;
    for (long have = 1; have < height;) {
        long second, third;
        const long next = K(step)(have, height, &second, &third);
        if (rest && next == height) {
            rest[0] = second * gap, rest[1] = third * gap;
            return from;
        }
        rows -= (next - have) * (long)j->p.row_gap;
        for (long r = 0; r < rows; r++) {
            const KEY *at = from + r * j->pitch;
            if (second == third)
                K(least)(to + r * j->pitch, at, at + third * gap, count);
            else
                K(least_of_three)(to + r * j->pitch, at, at + second * gap, at + third * gap, count);
        }
        from = to;
        have = next;
    }
    return from;
}

/* A box: the last step down the rows goes straight to the results. */
static void K(box)(const Job *j, KEY *held, long count)
{
    long rest[2];
    KEY *line = (KEY *)j->line;
    const long stride = (long)j->p.row_stride * j->pitch;
    const KEY *tall = K(heighten)(j, held, held, j->in_rows, (long)j->p.tall, count, rest);
    for (long r = 0; r < j->height; r++) {
        const KEY *at = tall + r * stride;
        if (rest[0]) {
            K(least_of_three)(line, at, at + rest[0], at + rest[1], count);
            at = line;
        }
        K(store)(j, r, at);
    }
}

static void K(tile)(Job *j)
{
    const long group = (long)j->p.channels, gap = (long)j->p.col_gap * group;
    const long samples = ((j->width - 1) * (long)j->p.col_stride + 1) * group;
    const long first = (long)j->blocks[0].length;
    KEY *held = (KEY *)j->held, *best = (KEY *)j->spare, *tall = best + j->height * j->pitch;
    long count = j->in_cols * group;
    for (long r = 0; r < j->in_rows; r++) {
        KEY *row = held + r * j->pitch;
        K(load)(j, r, row);
        count = K(lengthen)(row, 1, first, gap, j->in_cols * group);
    }
    if (j->p.blocks == 1 && j->p.tall == j->blocks[0].height && j->p.wide == first) {
        K(box)(j, held, samples);
        return;
    }
    long have = first;
    for (long n = 0; n < j->p.blocks; n++) {
        const Block b = j->blocks[n];
        const long left = count;
        for (long r = 0; have < b.length && r < j->in_rows; r++)
            count = K(lengthen)(held + r * j->pitch, have, (long)b.length, gap, left);
        have = (long)b.length;
        const KEY *from = held + (long)b.top * (long)j->p.row_gap * j->pitch + (long)b.left * gap;
        const long rows = (j->height - 1) * (long)j->p.row_stride +
                          ((long)b.height - 1) * (long)j->p.row_gap + 1;
        from = K(heighten)(j, from, tall, rows, (long)b.height, samples, NULL);
        for (long r = 0; r < j->height; r++) {
            KEY *to = best + r * j->pitch;
            const KEY *at = from + r * (long)j->p.row_stride * j->pitch;
            if (n)
                K(least)(to, to, at, samples);
            else
                memcpy(to, at, (size_t)samples * sizeof(KEY));
        }
    }
    for (long r = 0; r < j->height; r++) K(store)(j, r, best + r * j->pitch);
}

#undef LANES
#undef HIGH
#undef ALL
#undef KEY
#undef BITS
#undef K
