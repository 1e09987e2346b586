// Fills the frame of a picture: the cells that windows see which leave it, see frame_layout.py.
//
// A frame is four parts after one another: bands above and below, strips left and right. A row of
// a part starts at a multiple of 16 bytes, `skew` samples before the first one that is asked for,
// so that words lie as in the picture. A thread fills 16 bytes. Cells of the picture itself are
// found by a sum; those of the border are looked up: `map` holds the rows that stand above the
// picture and below it, then the columns at its left and right; -1 is the constant. One kernel
// serves pictures of every type and number of channels.

// Of a band or a strip: where its words end, and its first row and sample in the padded picture.
#define PART(name) long long name##_end, int name##_row, int name##_sample, int name##_words

// Where one axis lies in the picture, and how many cells of its border are in the map.
struct Axis {
    int before, inside, after, place;
    const int *__restrict__ map;

    __device__ __forceinline__ int operator[](int position) const
    {
        const int cell = position - before;
        if (cell >= 0 && cell < inside)
            return place + cell;
        const int at = cell < 0 ? position : before + (cell - inside);
        return position < 0 || at >= before + after ? -1 : map[at];
    }
};

template <typename cell_t>
static __device__ __forceinline__ void fill(void *word, const cell_t *__restrict__ row,
                                            const Axis &columns, int channels, int first,
                                            long long border)
{
    constexpr int count = 16 / sizeof(cell_t);
    const int inside = first - columns.before * channels;
    const cell_t *from = row + inside;
    if (row && inside >= 0 && inside + count <= columns.inside * channels &&
        ((unsigned long long)from & 15) == 0) {
        *(uint4 *)word = *(const uint4 *)from;
        return;
    }
    int column = first / channels, channel = first % channels;
    if (channel < 0)
        channel += channels, column--;
#pragma unroll
    for (int k = 0; k < count; k++) {
        const int cell = row ? columns[column] : -1;
        ((cell_t *)word)[k] =
            cell < 0 ? (cell_t)border : row[(long long)cell * channels + channel];
        if (++channel == channels)
            channel = 0, column++;
    }
}

template <typename cell_t>
static __device__ __forceinline__ void fill_row(void *word, const void *in, long long pitch,
                                                int place, const Axis &columns, int channels,
                                                int first, long long border)
{
    const cell_t *row = place < 0 ? (const cell_t *)0 : (const cell_t *)in + place * pitch;
    fill(word, row, columns, channels, first, border);
}

extern "C" __global__ void __launch_bounds__(128)
frame(const void *__restrict__ in, void *__restrict__ frame, const int *__restrict__ map,
      long long border, long long pitch, PART(top), PART(bottom), PART(left), PART(right),
      int skew, int item, int channels, int place, int rows_before, int rows_inside,
      int rows_after, int cols_before, int cols_inside, int cols_after)
{
    const long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= right_end)
        return;
    long long begin = 0;
    int row = top_row, sample = top_sample, words = top_words;
    if (at >= top_end)
        begin = top_end, row = bottom_row, sample = bottom_sample, words = bottom_words;
    if (at >= bottom_end)
        begin = bottom_end, row = left_row, sample = left_sample, words = left_words;
    if (at >= left_end)
        begin = left_end, row = right_row, sample = right_sample, words = right_words;
    const long long inner = at - begin;
    row += (int)(inner / words);
    const int first = sample - skew + (int)(inner % words) * (16 / item);

    const Axis rows = {rows_before, rows_inside, rows_after, place, map};
    const Axis columns = {cols_before, cols_inside, cols_after, 0,
                          map + rows_before + rows_after};
    void *word = (uint4 *)frame + at;
    if (item == 1)
        fill_row<unsigned char>(word, in, pitch, rows[row], columns, channels, first, border);
    else if (item == 2)
        fill_row<unsigned short>(word, in, pitch, rows[row], columns, channels, first, border);
    else if (item == 4)
        fill_row<unsigned>(word, in, pitch, rows[row], columns, channels, first, border);
    else
        fill_row<unsigned long long>(word, in, pitch, rows[row], columns, channels, first, border);
}
