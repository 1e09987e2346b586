/* Networks of minima and maxima on rows of keys, as convcli/engine/cpu/rank_programs.py writes them.
 * Included by keyed.h. */

#if VBYTES == 64 && BITS == 8
#define EITHER(which) (K(vec)) _mm512_##which##_epi8((__m512i)a, (__m512i)b)
#elif VBYTES == 64 && BITS == 16
#define EITHER(which) (K(vec)) _mm512_##which##_epi16((__m512i)a, (__m512i)b)
#elif VBYTES == 64 && BITS == 32
#define EITHER(which) (K(vec)) _mm512_##which##_epi32((__m512i)a, (__m512i)b)
#elif VBYTES == 64
#define EITHER(which) (K(vec)) _mm512_##which##_epi64((__m512i)a, (__m512i)b)
#elif VBYTES == 32 && BITS == 8
#define EITHER(which) (K(vec)) _mm256_##which##_epi8((__m256i)a, (__m256i)b)
#elif VBYTES == 32 && BITS == 16
#define EITHER(which) (K(vec)) _mm256_##which##_epi16((__m256i)a, (__m256i)b)
#elif VBYTES == 32 && BITS == 32
#define EITHER(which) (K(vec)) _mm256_##which##_epi32((__m256i)a, (__m256i)b)
#elif defined(__x86_64__) && BITS == 16
#define EITHER(which) (K(vec)) _mm_##which##_epi16((__m128i)a, (__m128i)b)
#endif

static inline __attribute__((always_inline)) K(vec) K(smaller)(K(vec) a, K(vec) b)
{
#ifdef EITHER
    return EITHER(min);
#else
    const K(vec) less = (K(vec))(a < b);
    return (a & less) | (b & ~less);
#endif
}

static inline __attribute__((always_inline)) K(vec) K(larger)(K(vec) a, K(vec) b)
{
#ifdef EITHER
    return EITHER(max);
#else
    const K(vec) less = (K(vec))(a < b);
    return (b & less) | (a & ~less);
#endif
}
#undef EITHER

/* One instruction with its places found: `count` keys of `a` and `b` to `to`, in whole vectors. */
static inline __attribute__((always_inline)) void
K(carry_out)(int largest, KEY *to, const KEY *a, const KEY *b, long count)
{
    if (largest)
        for (long i = 0; i < count; i += 2 * LANES) {
            const K(vec) p = K(larger)(*(const K(vec) *)(a + i), *(const K(vec) *)(b + i));
            const K(vec) q = K(larger)(*(const K(vec) *)(a + i + LANES),
                                       *(const K(vec) *)(b + i + LANES));
            *(K(vec) *)(to + i) = p, *(K(vec) *)(to + i + LANES) = q;
        }
    else
        for (long i = 0; i < count; i += 2 * LANES) {
            const K(vec) p = K(smaller)(*(const K(vec) *)(a + i), *(const K(vec) *)(b + i));
            const K(vec) q = K(smaller)(*(const K(vec) *)(a + i + LANES),
                                        *(const K(vec) *)(b + i + LANES));
            *(K(vec) *)(to + i) = p, *(K(vec) *)(to + i + LANES) = q;
        }
}

/* Samples [x, x + n) of the output rows `row, row + gap, ...` of the tile. */
static void K(strip)(const Job *j, KEY *slots, long pitch, long row, long x, long n)
{
    const Code *const end = j->code + j->p.instructions;
    const long gap = (long)j->p.row_gap;
    const KEY *input = (const KEY *)j->keys + row * j->pitch + x;
#define PLACE(source, shift)                                             \
    ((source) < 0 ? input + (-1 - (long)(source)) * gap * j->pitch + (shift) \
                  : slots + (source) * pitch + (shift))
    for (const Code *c = j->code; c < end; c++)
        K(carry_out)(c->largest, slots + c->to * pitch, PLACE(c->a, c->a_shift),
                     PLACE(c->b, c->b_shift), n + c->extent);
    for (long t = 0; t < j->p.group && row + t * gap < j->bottom - j->top; t++)
        ISA(store)(j, j->top + row + t * gap, x, n,
                   (const char *)PLACE(j->ends[t].source, j->ends[t].shift));
#undef PLACE
}

/* All rows of a tile, `group` at a time; those of a dilated window stand `gap` apart. */
static int K(by_network)(Job *j)
{
    const long extent = (long)j->p.extent, gap = (long)j->p.row_gap, slots = (long)j->p.slots;
    long width = NETWORK_BYTES / ((slots ? slots : 1) * (long)sizeof(KEY)) - extent;
    if (width < 2 * extent) width = 2 * extent;
    if (width < 8 * LANES) width = 8 * LANES;
    if (width > j->samples) width = j->samples;
    const long pitch = (width + extent + 4 * LANES) / LANES * LANES;
    KEY *memory = calloc((size_t)(slots * pitch) + 1, sizeof(KEY));
    if (!memory) return 0;
    for (long phase = 0; phase < gap; phase++)
        for (long row = phase; row < j->bottom - j->top; row += gap * (long)j->p.group)
            for (long x = 0; x < j->samples; x += width)
                K(strip)(j, memory, pitch, row, x,
                         j->samples - x < width ? j->samples - x : width);
    free(memory);
    return 1;
}
