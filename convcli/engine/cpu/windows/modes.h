/* The most frequent byte under a footprint, the smallest of several: a histogram that moves along the
 * rows. Included by isa.h with COUNT, which holds 256 times the number of cells, and C(name).
 *
 * A value's entry is 256 times its count and, so that the smallest of several has the largest one, 255
 * less the value.
 *
 * Source: T. Huang, G. Yang and G. Tang, A fast two-dimensional median filtering algorithm (1979). */

/* Bytes of 255 do not vote if the job says so; where nothing votes the result is that, too. */

static COUNT C(largest)(const COUNT *counts)
{
    COUNT best[32];
    memcpy(best, counts, sizeof best);
    for (int v = 32; v < 256; v += 32)
        for (int i = 0; i < 32; i++) best[i] = best[i] > counts[v + i] ? best[i] : counts[v + i];
    COUNT top = 0;
    for (int i = 0; i < 32; i++) top = top > best[i] ? top : best[i];
    return top;
}

/* One row of one channel. */
static void C(row)(const Job *j, const uint8_t *from, uint8_t *to)
{
    const long group = (long)j->p.channels, pitch = j->pitch;
    const Block *const end = j->blocks + j->p.blocks;
    COUNT counts[256], vote[256];
    for (int v = 0; v < 256; v++) counts[v] = (COUNT)(255 - v), vote[v] = 256;
    if (j->p.skip) vote[255] = 0;
    for (const Block *b = j->blocks; b < end; b++)
        for (long y = (long)b->top; y < b->top + b->height; y++)
            for (long x = (long)b->left; x < b->left + b->length; x++)
                counts[from[y * pitch + x * group]] += vote[from[y * pitch + x * group]];
    COUNT best = C(largest)(counts);
    to[0] = best < 256 ? 255 : (uint8_t)(255 - (best & 255));
    for (long at = 1; at < j->width; at++, from += group) {
        for (const Block *b = j->blocks; b < end; b++) {
            const uint8_t *old = from + b->top * pitch + b->left * group;
            const long ahead = (long)b->length * group;
            for (long y = 0; y < b->height; y++, old += pitch) {
                counts[*old] -= vote[*old];
                const COUNT grown = counts[old[ahead]] += vote[old[ahead]];
                best = best > grown ? best : grown;
            }
        }
        /* An entry that was the largest on the way may have become less again. */
        if (counts[255 - (best & 255)] != best) best = C(largest)(counts);
        to[at * group] = best < 256 ? 255 : (uint8_t)(255 - (best & 255));
    }
}

static void C(tile)(Job *j)
{
    const long group = (long)j->p.channels;
    for (long r = 0; r < j->in_rows; r++) ISA(copy_row)(j, r, j->held + r * j->pitch);
    for (long r = 0; r < j->height; r++)
        for (long c = 0; c < group; c++)
            C(row)(j, (const uint8_t *)j->held + r * j->pitch + c,
                   (uint8_t *)j->dst + ((j->top + r) * j->p.out_cols + j->left) * group + c);
}
