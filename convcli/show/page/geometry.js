// Which cells an output reads, and how many outputs there are, along one axis. No DOM in here.
//
// The same arithmetic as convcli/arithmetic/window.py, transposed.py, borders.py and
// convcli/show/draw/axes.py; tests/page/ compares the two over random layers.
"use strict";
const Geometry = (() => {
  const floorDiv = (a, b) => Math.floor(a / b);
  const ceilDiv = (a, b) => -Math.floor(-a / b);
  const modulo = (a, b) => ((a % b) + b) % b;
  const span = (kernel, dilation) => dilation * (kernel - 1) + 1;

  // One axis, everything resolved; `error` says in one line why there is no output.
  //   size, kernel, stride, dilation, before, after: cells
  //   ceil: the last window may hang over (pooling); extra: output padding (transposed)
  function axis(kind, given) {
    const w = { ceil: false, extra: 0, ...given, transposed: kind === "conv_transpose" };
    w.span = span(w.kernel, w.dilation);
    w.error = "";
    for (const [name, value] of Object.entries({ size: w.size, kernel: w.kernel, stride: w.stride, dilation: w.dilation })) {
      if (value < 1) return { ...w, output: 0, error: `${name} is ${value}; it must be 1 or more` };
    }
    if (w.before < 0 || w.after < 0) return { ...w, output: 0, error: "padding must be 0 or more" };
    return w.transposed ? transposed(w) : sliding(w, kind.endsWith("pool") ? "window" : "kernel");
  }

  function sliding(w, noun) {
    w.padded = w.size + w.before + w.after;
    const room = w.padded - w.span;
    w.moves = w.ceil ? ceilDiv(room, w.stride) : floorDiv(room, w.stride);
    // PyTorch's rule: a window must start inside the input or the padding before it.
    w.clipped = w.ceil && w.moves * w.stride >= w.size + w.before;
    w.output = w.moves + 1 - (w.clipped ? 1 : 0);
    w.overhang = Math.max((w.output - 1) * w.stride + w.span - w.padded, 0);
    if (w.output < 1) {
      w.error = `a ${noun} that spans ${w.span} does not fit into ${w.padded} cells` + (w.before + w.after ? ", padding included" : "");
    }
    return w;
  }

  function transposed(w) {
    const limit = Math.max(w.stride, w.dilation);
    w.full = (w.size - 1) * w.stride + w.span;
    w.output = w.full - w.before - w.after + w.extra;
    w.overhang = 0;
    if (w.extra < 0 || w.extra >= limit) {
      w.error = `output padding ${w.extra} is not below the larger of stride ${w.stride} and dilation ${w.dilation}`;
    } else if (w.output < 1) {
      w.error = `padding crops ${w.before + w.after} of the ${w.full + w.extra} cells that the kernels cover; nothing is left`;
    }
    return w;
  }

  // The cells of a board along the axis: what input each holds (null: none), of which kind it is,
  // and which cells each output reads, in the order of the kernel as it lies on the board.
  function board(w) {
    if (w.transposed) return gathering(w);
    const sources = [], marks = [], taps = [];
    for (let cell = 0; cell < w.padded + w.overhang; cell++) {
      const inside = cell >= w.before && cell < w.before + w.size;
      sources.push(inside ? cell - w.before : null);
      marks.push(inside ? "value" : cell < w.padded ? "padding" : "overhang");
    }
    for (let o = 0; o < w.output; o++) {
      taps.push(Array.from({ length: w.kernel }, (_, t) => o * w.stride + t * w.dilation));
    }
    return { sources, marks, taps };
  }

  // A transposed convolution as one over an input with stride - 1 zeros between its values: the
  // kernel lies reversed on it.
  function gathering(w) {
    const last = (w.size - 1) * w.stride;
    const low = Math.min(0, w.before - w.span + 1);
    const high = Math.max(last, w.output - 1 + w.before);
    const sources = [], marks = [], taps = [];
    for (let cell = low; cell <= high; cell++) {
      const whole = cell >= 0 && cell <= last && cell % w.stride === 0;
      sources.push(whole ? cell / w.stride : null);
      marks.push(whole ? "value" : cell >= 0 && cell <= last ? "zero" : "padding");
    }
    for (let o = 0; o < w.output; o++) {
      taps.push(Array.from({ length: w.kernel }, (_, t) => o + w.before - (w.kernel - 1 - t) * w.dilation - low));
    }
    return { sources, marks, taps };
  }

  // The input cell that stands at a position outside; null where zeros stand.
  const BORDERS = {
    constant: () => null,
    edge: (at, size) => (at < 0 ? 0 : size - 1),
    reflect: (at, size) => {
      const period = Math.max(2 * (size - 1), 1);
      return Math.min(modulo(at, period), modulo(-at, period));
    },
    symmetric: (at, size) => Math.min(modulo(at, 2 * size), modulo(-at - 1, 2 * size)),
    wrap: (at, size) => modulo(at, size),
  };
  const bordered = (border, at, size) => (at >= 0 && at < size ? at : BORDERS[border](at, size));

  // What output `o` reads: for each tap (an index into the kernel as given), the cell of the board
  // and the input there, null for zeros. `flip` turns the kernel round.
  function reads(w, o, { border = "constant", flip = false, axisBoard = board(w) } = {}) {
    const turned = w.transposed || flip;
    return axisBoard.taps[o].map((cell, place) => {
      let input = axisBoard.sources[cell];
      if (input === null && axisBoard.marks[cell] === "padding" && !w.transposed) {
        input = bordered(border, cell - w.before, w.size);
      }
      return { tap: turned ? w.kernel - 1 - place : place, cell, input };
    });
  }

  // Cells that an average is divided by: those of the window on the input and its padding.
  function divisor(w, o) {
    return board(w).taps[o].filter((cell) => cell < w.padded).length;
  }

  // The output size with the numbers put in, in the words of arithmetic/derivation.py.
  function derive(w) {
    const sign = w.transposed ? "-" : "+";
    const even = w.before === w.after;
    const pad = even ? ` ${sign} 2p` : ` ${sign} pb ${sign} pe`;
    const padNumber = even ? ` ${sign} 2*${w.before}` : ` ${sign} ${w.before} ${sign} ${w.after}`;
    const kernel = w.dilation === 1 ? "k" : "(d(k - 1) + 1)";
    const kernelNumber = w.dilation === 1 ? `${w.kernel}` : `(${w.dilation}*(${w.kernel} - 1) + 1)`;
    if (w.transposed) {
      const [extra, extraNumber] = w.extra ? [" + op", ` + ${w.extra}`] : ["", ""];
      return {
        formula: `o = (n - 1)s${pad} + ${kernel}${extra}`,
        numbers: `(${w.size} - 1)*${w.stride}${padNumber} + ${kernelNumber}${extraNumber}`,
      };
    }
    const rounding = w.ceil ? "ceil" : "floor", tail = w.clipped ? " + 1 - 1" : " + 1";
    return {
      formula: `o = ${rounding}((n${pad} - ${kernel}) / s)${tail}`,
      numbers: `${rounding}((${w.size}${padNumber} - ${kernelNumber}) / ${w.stride})${tail}`,
    };
  }

  return { axis, board, bordered, reads, divisor, derive, BORDERS: Object.keys(BORDERS) };
})();
