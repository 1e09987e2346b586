// A small picture under a kernel: the sums, the border, and how sums become samples. No DOM here.
//
// As `convcli filter` computes 8-bit pictures: correlation, `same` size, and then
//   r = combine(scale * sum of each plane) + bias;  |r|, r + 128 or r;  rounded half to even, clipped
// A picture is { width, height, channels, data }, samples row by row, channels together.
// A kernel is { planes: [rows of numbers], scale, bias, combine, absolute }, all of them numbers.
"use strict";
const Filter = (() => {
  const RANGES = ["auto", "clip", "abs", "offset", "stretch"];

  // A half goes to the even neighbour, as NumPy's rint does.
  function rint(v) {
    const low = Math.floor(v), part = v - low;
    if (part !== 0.5) return part < 0.5 ? low : low + 1;
    return low % 2 === 0 ? low : low + 1;
  }
  const clip = (v) => (v < 0 ? 0 : v > 255 ? 255 : v);
  const before = (length) => Math.floor((length - 1) / 2); // `same`: the odd cell is at the end

  // For each position along an axis and each tap, the cell that is read; -1 for zeros.
  function indices(size, taps, border) {
    return Array.from({ length: size }, (_, at) => Array.from({ length: taps }, (_, t) => Geometry.bordered(border, at + t - before(taps), size) ?? -1));
  }

  const modeOf = (kernel, range) => (range === "auto" ? (kernel.absolute ? "abs" : "clip") : range);

  // The response before it becomes a sample, from the sums of the planes.
  function combined(kernel, sums) {
    const scaled = sums.map((sum) => kernel.scale * sum);
    const joined = kernel.combine === "magnitude" ? Math.sqrt(scaled.reduce((all, v) => all + v * v, 0))
      : kernel.combine === "maximum" ? Math.max(...scaled) : scaled[0];
    return joined + kernel.bias;
  }
  function placed(response, mode) {
    return mode === "abs" ? Math.abs(response) : mode === "offset" ? response + 128 : response;
  }

  // The filtered picture; `clipped` samples lay outside 0 to 255.
  function apply(picture, kernel, { border, range }) {
    const { width, height, channels, data } = picture, mode = modeOf(kernel, range);
    const [taps, across] = [kernel.planes[0].length, kernel.planes[0][0].length];
    const rows = indices(height, taps, border), columns = indices(width, across, border);
    const responses = new Float64Array(data.length), sums = kernel.planes.map(() => 0);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        for (let c = 0; c < channels; c++) {
          sums.fill(0);
          for (let i = 0; i < taps; i++) {
            if (rows[y][i] < 0) continue;
            for (let j = 0; j < across; j++) {
              if (columns[x][j] < 0) continue;
              const v = data[(rows[y][i] * width + columns[x][j]) * channels + c];
              for (let p = 0; p < sums.length; p++) sums[p] += kernel.planes[p][i][j] * v;
            }
          }
          responses[(y * width + x) * channels + c] = placed(combined(kernel, sums), mode);
        }
      }
    }
    if (mode === "stretch") {
      let low = Infinity, high = -Infinity;
      for (const r of responses) { if (r < low) low = r; if (r > high) high = r; }
      const factor = high > low ? 255 / (high - low) : 0;
      for (let i = 0; i < responses.length; i++) responses[i] = (responses[i] - low) * factor;
    }
    const out = new Uint8ClampedArray(data.length);
    let clipped = 0;
    for (let i = 0; i < out.length; i++) {
      const v = rint(responses[i]);
      if (v < 0 || v > 255) clipped++;
      out[i] = clip(v);
    }
    return { width, height, channels, data: out, clipped };
  }

  // What one sample is made of: the cells under the kernel, and each plane's sum.
  function working(picture, kernel, { border, range }, x, y, channel) {
    const { width, height, channels, data } = picture;
    const [taps, across] = [kernel.planes[0].length, kernel.planes[0][0].length];
    const cells = [];
    for (let i = 0; i < taps; i++) {
      for (let j = 0; j < across; j++) {
        const [row, column] = [y + i - before(taps), x + j - before(across)];
        const from = [Geometry.bordered(border, row, height), Geometry.bordered(border, column, width)];
        const value = from.includes(null) ? 0 : data[(from[0] * width + from[1]) * channels + channel];
        cells.push({ value, outside: row < 0 || row >= height || column < 0 || column >= width, weights: kernel.planes.map((plane) => plane[i][j]) });
      }
    }
    const sums = kernel.planes.map((_, p) => cells.reduce((sum, cell) => sum + cell.weights[p] * cell.value, 0));
    const response = combined(kernel, sums), mode = modeOf(kernel, range);
    return { cells, sums, response, mode, placed: placed(response, mode) };
  }

  // Brightness as Pillow's mode L has it.
  function gray({ width, height, channels, data }) {
    if (channels === 1) return { width, height, channels, data };
    const out = new Uint8ClampedArray(width * height);
    for (let i = 0; i < out.length; i++) out[i] = (19595 * data[3 * i] + 38470 * data[3 * i + 1] + 7471 * data[3 * i + 2] + 32768) >> 16;
    return { width, height, channels: 1, data: out };
  }

  // Something to look at where no picture was given: a slope, a disc, stripes and a frame.
  function sample(width = 144, height = 96) {
    const data = new Uint8ClampedArray(width * height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let v = 60 + (x * 110) / width;
        if ((x - 42) ** 2 + (y - 48) ** 2 < 30 ** 2) v = 225 - 0.9 * Math.hypot(x - 30, y - 34);
        if (x > 84 && x < 132 && y > 14 && y < 46) v = (x + y) % 12 < 6 ? 30 : 235;
        if (x > 84 && x < 132 && y > 56 && y < 84) v = 245 - (x - 84) * 4;
        if (x > 90 && x < 126 && y > 62 && y < 78) v = 40;
        data[y * width + x] = v;
      }
    }
    return { width, height, channels: 1, data };
  }

  return { RANGES, rint, apply, working, gray, sample, modeOf };
})();
