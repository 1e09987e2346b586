/* The most frequent byte under a footprint, the smallest of several: a histogram that moves along the
 * rows. Included by isa.h.
 *
 * Source: T. Huang, G. Yang and G. Tang, A fast two-dimensional median filtering algorithm (1979). */

static void ISA(rescan)(const uint16_t *counts, int *mode, int *most)
{
    uint16_t best[32];
    memcpy(best, counts, sizeof best);
    for (int v = 32; v < 256; v += 32)
        for (int i = 0; i < 32; i++) best[i] = best[i] > counts[v + i] ? best[i] : counts[v + i];
    uint16_t top = 0;
    for (int i = 0; i < 32; i++) top = top > best[i] ? top : best[i];
    int v = 0;
    for (int found = 0; !found; v += found ? 0 : 32)
        for (int i = 0; i < 32; i++) found |= counts[v + i] == top;
    while (counts[v] != top) v++;
    *mode = v, *most = top;
}

/* One row of one channel. */
static void ISA(row_of_modes)(const Job *j, const uint8_t *from, uint8_t *to)
{
    const long group = (long)j->p.channels;
    uint16_t counts[256] = {0};
    int mode = 0, most = 0;
    for (const Block *b = j->blocks; b < j->blocks + j->p.blocks; b++)
        for (long y = (long)b->top; y < b->top + b->height; y++)
            for (long x = (long)b->left; x < b->left + b->length; x++)
                counts[from[y * j->pitch + x * group]]++;
    ISA(rescan)(counts, &mode, &most);
    to[0] = (uint8_t)mode;
    for (long at = 1; at < j->width; at++, from += group) {
        for (const Block *b = j->blocks; b < j->blocks + j->p.blocks; b++) {
            const uint8_t *old = from + b->top * j->pitch + b->left * group;
            for (long y = 0; y < b->height; y++, old += j->pitch) counts[*old]--;
        }
        int dirty = counts[mode] != most;
        for (const Block *b = j->blocks; b < j->blocks + j->p.blocks; b++) {
            const uint8_t *new = from + b->top * j->pitch + (b->left + b->length) * group;
            for (long y = 0; y < b->height; y++, new += j->pitch) {
                const int count = ++counts[*new];
                if (count > most || (count == most && *new < mode)) {
                    most = count, mode = *new;
                    dirty = 0; /* nothing else has as many */
                }
            }
        }
        if (dirty) ISA(rescan)(counts, &mode, &most);
        to[at * group] = (uint8_t)mode;
    }
}

static void ISA(modes)(Job *j)
{
    const long group = (long)j->p.channels;
    for (long r = 0; r < j->in_rows; r++) ISA(copy_row)(j, r, j->held + r * j->pitch);
    for (long r = 0; r < j->height; r++)
        for (long c = 0; c < group; c++)
            ISA(row_of_modes)(j, (const uint8_t *)j->held + r * j->pitch + c,
                              (uint8_t *)j->dst + ((j->top + r) * j->p.out_cols + j->left) * group + c);
}
