/* Blurs of bytes in 16 bits: along the rows, then down the columns, four output rows at a time.
 * Included by isa.h for instruction sets with vectors of 32 bytes and more.
 *
 * Samples are numbers of 8 bits before and 8 bits after the point. Taps come as pairs with one
 * weight, as symmetric kernels have them (a tap without a partner is a pair with itself): two
 * samples are averaged and multiplied by a weight of 16 bits, of which the high half is kept. What
 * is cut off there is half a unit for each pair on average, which the sums start with. How far
 * the result can be off is worked out in convcli/engine/cpu/pairs.py. */

enum {
    ISA(BLUR_CHUNK) = 4 * VBYTES / 2, /* sums in registers at once */
    ISA(BLUR_ROWS) = 4,
    ISA(BLUR_BLOCK) = 1024,
    ISA(BLUR_CACHE) = 32768, /* bytes of the first cache for the rows that four outputs read */
    ISA(BLUR_LINE) = 2048,
};

#define EACH(M) M(0) M(1) M(2) M(3)
/* Sums of samples [x, x + BLUR_CHUNK) in s0 to s3. */
#define SUMS_OF_PAIRS                                                                           \
    ISA(reg) s0 = start, s1 = start, s2 = start, s3 = start;                                    \
    for (long k = 0; k < pairs; k++) {                                                          \
        const uint16_t *p = at[2 * k] + x, *q = at[2 * k + 1] + x;                              \
        const ISA(reg) w = REG(set1_epi16)((short)weight[k]);                                   \
        EACH(ADD)                                                                               \
    }
#define ADD(v)                                                                                  \
    s##v = REG(add_epi16)(s##v, REG(mulhi_epu16)(REG(avg_epu16)(LOADED(p + v * VBYTES / 2),     \
                                                                LOADED(q + v * VBYTES / 2)), w));

/* Neither of the two is inlined: then the tile's own variables would take their registers.
 * Along a row; n is rounded up to whole chunks. */
static __attribute__((noinline)) void ISA(blur_line)(
    uint16_t *restrict out, const uint16_t *const *restrict at, const uint16_t *restrict weight,
    long pairs, long n)
{
    const ISA(reg) start = REG(set1_epi16)((short)(pairs / 2));
    for (long x = 0; x < n; x += ISA(BLUR_CHUNK)) {
        SUMS_OF_PAIRS
#define PUT(v) STORED(out + x + v * VBYTES / 2, s##v);
        EACH(PUT)
#undef PUT
    }
}

/* Down the columns, rounded to bytes; n is rounded up to whole chunks. */
static __attribute__((noinline)) void ISA(blur_column)(
    uint8_t *restrict out, const uint16_t *const *restrict at, const uint16_t *restrict weight,
    long pairs, long from, long n)
{
    const ISA(reg) start = REG(set1_epi16)((short)(pairs / 2 + 128));
    for (long x = from; x < from + n; x += ISA(BLUR_CHUNK)) {
        SUMS_OF_PAIRS
#define BYTES(v) s##v = REG(srli_epi16)(s##v, 8);
        EACH(BYTES)
#undef BYTES
        STORED(out + x - from, ISA(packed)(s0, s1));
        STORED(out + x - from + VBYTES, ISA(packed)(s2, s3));
    }
}
#undef ADD
#undef SUMS_OF_PAIRS
#undef EACH

static long ISA(tile_blur)(const Job *job)
{
    const long group = job->group, samples = (job->right - job->left) * group;
    const long ring = ISA(BLUR_ROWS) - 1 + job->reach;
    const long shift = job->lane_samples - samples, chunk = ISA(BLUR_CHUNK);
    const long pitch = (samples + chunk - 1) / chunk * chunk; /* every row begins a cache line */
    const long across = job->out_cols * group;
    const long line_block = ISA(BLUR_LINE) + 4 * (shift / chunk) * chunk;
    const long most = ISA(BLUR_CACHE) / 2 / ring / chunk * chunk;
    const long block = most < chunk ? chunk : most < ISA(BLUR_BLOCK) ? most : ISA(BLUR_BLOCK);
    const long pairs = job->tap_count / 2, line_pairs = job->line_tap_count / 2;
    Arena arena = {0};
    uint16_t *rows = NULL, *line = NULL, *weight = NULL, *line_weight = NULL;
    uint8_t *raw = NULL, *packed = NULL;
    const uint16_t **at = NULL, **along = NULL;
    for (int pass = 0; pass < 2; pass++) {
        rows = take(&arena, ring, pitch, sizeof *rows);
        raw = take(&arena, job->lane_samples, 1, 1);
        line = take(&arena, line_block + shift + chunk, 1, sizeof *line);
        packed = take(&arena, ISA(BLUR_BLOCK) + 2 * VBYTES, 1, 1);
        weight = take(&arena, pairs, 1, sizeof *weight);
        line_weight = take(&arena, line_pairs, 1, sizeof *weight);
        at = take(&arena, ISA(BLUR_ROWS), job->tap_count, sizeof *at);
        along = take(&arena, job->line_tap_count, 1, sizeof *along);
        if (pass == 0 && !settle(&arena)) return -1;
    }
    for (long k = 0; k < pairs; k++) weight[k] = (uint16_t)job->taps[2 * k].weight;
    for (long k = 0; k < line_pairs; k++) line_weight[k] = (uint16_t)job->line_taps[2 * k].weight;
    for (long t = 0; t < job->line_tap_count; t++) along[t] = line + job->line_taps[t].shift;

    long have = job->top;
    for (long top = job->top; top < job->bottom; top += ISA(BLUR_ROWS)) {
        const long left = job->bottom - top, now = left < ISA(BLUR_ROWS) ? left : ISA(BLUR_ROWS);
        for (; have < top + now - 1 + job->reach; have++) {
            const uint8_t *bytes = ISA(bytes_at)(job, have);
            if (!bytes) {
                ISA(fill_hB)(raw, ISA(row_at)(job, have), 'B', &job->fills[0]);
                bytes = raw;
            }
            for (long x = 0; x < samples; x += line_block) {
                const long n = samples - x < line_block ? samples - x : line_block;
                for (long i = 0; i < n + shift; i++) line[i] = (uint16_t)(bytes[x + i] << 8);
                ISA(blur_line)(rows + have % ring * pitch + x, along, line_weight, line_pairs, n);
            }
        }
        for (long b = 0; b < now; b++)
            for (long t = 0; t < job->tap_count; t++)
                at[b * job->tap_count + t] = rows + (top + b + job->taps[t].row) % ring * pitch;
        uint8_t *out = (uint8_t *)job->dst + top * across + job->left * group;
        for (long x = 0; x < samples; x += block) {
            const long n = samples - x < block ? samples - x : block;
            ISA(fetch_hB)(job, have, ISA(BLUR_ROWS), x, n);
            for (long b = 0; b < now; b++) {
                ISA(blur_column)(packed, at + b * job->tap_count, weight, pairs, x, n);
                if (job->stream) ISA(stream)((char *)out + b * across + x, (char *)packed, (size_t)n);
                else memcpy(out + b * across + x, packed, (size_t)n);
            }
        }
    }
    FENCE
    free(arena.memory);
    return 0;
}
