/* Samples of a picture, and what every tile checks of the buffers and maps that Python hands over. */

/* Bytes of a sample by the letter of its type; 0 of what is none. */
static int sample_size(int64_t type)
{
    switch (type) {
    case 'B': case 'b': return 1;
    case 'H': case 'h': return 2;
    case 'I': case 'i': case 'f': return 4;
    case 'L': case 'l': case 'd': return 8;
    default: return 0;
    }
}

/* Whether an index map points into a picture of so many rows or columns, or at its border. */
static int index_inside(const int64_t *index, long count, int64_t size)
{
    for (long i = 0; i < count; i++)
        if (index[i] < -1 || index[i] >= size) return 0;
    return 1;
}
