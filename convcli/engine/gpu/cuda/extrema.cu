// The smallest or the largest sample under large rectangles, at a cost that hardly depends on their
// size: down a column into shared memory, then across.
//
// Of G neighbouring windows of k cells, all have cells G-1 to k-1. Their extremum is found once; from
// it one grows to the right with each window, and another one to the left, which was kept: three
// comparisons a sample, and those of the shared cells divided by G. That is the way of van Herk and of
// Gil and Werman, with a single pivot for each group.
//
// A block makes TILE_H rows of TILE_W samples. A thread goes down columns of words; then it goes
// across two rows at once (one, of floats), by the instructions that line_text.py writes.
//
// Source: M. van Herk, A fast algorithm for local minimum and maximum filters (1992), and J. Gil and
// M. Werman, Computing 2-D min, median, and max filters (1993).

#if LARGEST
#define PICKED upper
#else
#define PICKED lower
#endif
#define LOWER(name, a, b) const value_t name = lower(a, b);
#define UPPER(name, a, b) const value_t name = upper(a, b);
#define CELL(name, ...) const value_t name = value_of(__VA_ARGS__);
#define WORD(name, row, at) const load_t name = ((row) ? second : first)[at];
#define FOUND(row, sample, value) found[sample] = value;

// A word of a column: the samples of a word, so that neighbouring threads read neighbouring words.
#if IN_BYTES == 8
typedef uint2 word_t;
#else
typedef unsigned word_t;
#endif
#define PER_WORD ((int)(sizeof(word_t) / IN_BYTES))
#define PARTS (IN_BYTES == 1 ? 2 : 1)

struct Column {
    value_t part[PARTS];
};

INLINE Column column_of(word_t word)
{
    Column column;
#if IN_BYTES == 1 && HALVES
    column.part[0] = word & 0x00ff00ff;
    column.part[1] = word >> 8 & 0x00ff00ff;
#elif IN_BYTES == 1
    column.part[0] = word << 8;
    column.part[1] = word;
#elif IN_BYTES == 2
    column.part[0] = word;
#elif IN_BYTES == 4
    column.part[0] = value_of(word, 0);
#else
    column.part[0] = value_of(word.x, word.y, 0);
#endif
    return column;
}

INLINE word_t word_of_column(const Column &column)
{
#if IN_BYTES == 1
    return __byte_perm(column.part[0], column.part[1], HALVES ? 0x6240 : 0x7351);
#elif IN_BYTES == 2
    return column.part[0];
#elif IN_BYTES == 4
    return word_of(column.part, 0);
#else
    const double sample = sample_of(column.part[0], 0);
    return make_uint2((unsigned)__double2loint(sample), (unsigned)__double2hiint(sample));
#endif
}

INLINE Column picked(const Column &a, const Column &b)
{
    Column column;
#pragma unroll
    for (int part = 0; part < PARTS; part++)
        column.part[part] = PICKED(a.part[part], b.part[part]);
    return column;
}

INLINE Column column_at(const in_t *cell) { return column_of(*(const word_t *)cell); }

// GROUP rows of a column, into rows of shared memory, of which `left` are rows of the picture. What lies
// below it stays as it is and is not stored; the branch keeps the assembler from loading all rows at once,
// for which there are no registers.
INLINE void down(word_t *to, const in_t *from, long long pitch, int left)
{
    Column above[GROUP];
#pragma unroll
    for (int i = GROUP - 2; i >= 0; i--) {
        above[i] = column_at(from + i * pitch);
        if (i < GROUP - 2)
            above[i] = picked(above[i], above[i + 1]);
    }
    from += (GROUP - 1) * pitch;
    Column shared = column_at(from);
#pragma unroll 8
    for (int i = GROUP; i < KERNEL_H; i++) {
        from += pitch;
        shared = picked(shared, column_at(from));
    }
#pragma unroll
    for (int i = 0; i < GROUP; i++) {
        if (i) {
            if (i % 16 == 0 && i >= left)
                return;
            from += pitch;
            shared = picked(shared, column_at(from));
        }
        *to = word_of_column(i < GROUP - 1 ? picked(above[i], shared) : shared);
        to += TILE_WORDS * 16 / sizeof(word_t);
    }
}

// NX samples of two rows, which stand in shared memory from `first` and `second` on.
INLINE void across(value_t (&found)[NX], const load_t *first, const load_t *second)
{
    INSTRUCTIONS
}

extern "C" __global__ void __launch_bounds__(BOUNDS) extrema(ARGUMENTS)
{
    __shared__ uint4 tile[TILE_H * TILE_WORDS];
    const int thread = threadIdx.y * blockDim.x + threadIdx.x;
    const int left = blockIdx.x * TILE_W, top = blockIdx.y * TILE_H;
    VIEW(left, top, top + TILE_H + KERNEL_H - 1, SPAN)
    constexpr int columns = (SKEW + SPAN + PER_WORD - 1) / PER_WORD;
    for (int column = thread; column < columns; column += 128)
#pragma unroll 1
        for (int row = 0; row < TILE_H; row += GROUP)
            down((word_t *)(tile + row * TILE_WORDS) + column,
                 from - SKEW + row * pitch + column * PER_WORD, pitch,
                 rows_out - top - row);
    __syncthreads();

    constexpr int chunks = TILE_W / NX, apart = TILE_H / LANES;
    int outside = 0;
#pragma unroll 1
    for (int task = thread; task < apart * chunks; task += 128) {
        const int row = task / chunks, at = task % chunks * NX, x = left + at;
        if (x >= samples_out)
            continue;
        const uint4 *first = tile + row * TILE_WORDS + at * IN_BYTES / 16;
        value_t found[NX];
        across(found, first, first + (LANES - 1) * apart * TILE_WORDS);
#pragma unroll
        for (int lane = 0; lane < LANES; lane++) {
            const int y = top + row + lane * apart;
            if (y < rows_out)
                outside += finish_row(out + y * pitch_out + x, found, lane, samples_out - x);
        }
    }
    report(clipped, outside);
}
