// A whole layer: what fits together, what every output reads, and the numbers. No DOM in here.
//
// The state is a plain object, the one that Python writes into the page (show/page/state.py):
//   kind, axes (1 or 2), n, k, s, d, op (a number per axis), p ([before, after] per axis),
//   in, out, groups, ceil, flip, border, and texts row by row: x, w, bias ("" is none).
// Everything is kept for every kind of layer, so that switching there and back loses nothing;
// what a kind does not have is left out of account.
"use strict";
const Layer = (() => {
  const KINDS = ["conv", "conv_transpose", "maxpool", "avgpool"];
  const ONE = { n: 1, k: 1, s: 1, d: 1, op: 0 };
  const isPool = (state) => state.kind.endsWith("pool");
  const ranked = (list, axes, fill) => (axes === 2 ? list : [fill, list[list.length - 1]]);

  // The two axes of the boards; a sequence is one row.
  function windows(state) {
    const [n, k, s, d, op] = ["n", "k", "s", "d", "op"].map((key) => ranked(state[key], state.axes, ONE[key]));
    const p = ranked(state.p, state.axes, [0, 0]);
    const transposed = state.kind === "conv_transpose";
    return [0, 1].map((a) => Geometry.axis(state.kind, {
      size: n[a], kernel: k[a], stride: s[a], dilation: d[a], before: p[a][0], after: p[a][1],
      ceil: isPool(state) && state.ceil, extra: transposed ? op[a] : 0,
    }));
  }

  // Everything that follows from a state; `error` in one line where it cannot be. Without `whole`
  // only what tells whether it can be, which is asked for every step of every slider.
  function resolve(state, whole = true) {
    const pool = isPool(state);
    const layer = {
      state, pool, transposed: state.kind === "conv_transpose", windows: windows(state),
      in: state.in, out: pool ? state.in : state.out, groups: pool ? state.in : state.groups,
      flip: state.kind === "conv" && state.flip,
      border: state.kind === "conv" ? state.border : "constant", error: "",
    };
    for (const [name, channels] of [["input", layer.in], ["output", layer.out]]) {
      if (channels % layer.groups && !layer.error) layer.error = `groups ${layer.groups} does not divide ${channels} ${name} channels`;
    }
    layer.windows.forEach((w, a) => {
      if (w.error && !layer.error) layer.error = (state.axes === 2 ? `${["rows", "columns"][a]}: ` : "") + w.error;
    });
    layer.perGroup = layer.in / layer.groups; // input channels that one output channel reads
    layer.size = layer.windows.map((w) => w.size);
    layer.kernel = layer.windows.map((w) => w.kernel);
    layer.output = layer.windows.map((w) => w.output);
    if (!layer.error) {
      layer.boards = layer.windows.map(Geometry.board);
      layer.places = layer.output[0] * layer.output[1];
      layer.windows.forEach((w, a) => {
        const empty = layer.boards[a].taps.findIndex((taps) => taps.every((cell) => layer.boards[a].sources[cell] === null));
        if (pool && empty >= 0 && !layer.error) layer.error = `${state.axes === 2 ? `${["rows", "columns"][a]}: ` : ""}window ${empty} lies on padding alone; pad by at most half of the window`;
      });
      if (whole) layer.at = Array.from({ length: layer.places }, (_, place) => reads(layer, Math.floor(place / layer.output[1]), place % layer.output[1]));
    }
    return layer;
  }

  const cells = ([rows, columns]) => rows * columns;
  // How many numbers a state needs: of the input, of the weight, of the bias.
  function counts(state) {
    const n = cells(ranked(state.n, state.axes, 1)), k = cells(ranked(state.k, state.axes, 1));
    const whole = state.groups && !(state.in % state.groups) && !(state.out % state.groups);
    return { x: state.in * n, w: isPool(state) || !whole ? 0 : (state.in * state.out * k) / state.groups, bias: state.out };
  }

  // Input channels that output channel `o` reads.
  function sources(layer, o) {
    const group = Math.floor(o / (layer.out / layer.groups));
    return Array.from({ length: layer.perGroup }, (_, c) => group * layer.perGroup + c);
  }
  // Where the weight for (output channel o, input channel c, tap) lies in the list of weights:
  // (C_out, C_in / groups, k), and (C_in, C_out / groups, k) of a transposed convolution.
  function weightIndex(layer, o, c, tap) {
    const outs = layer.out / layer.groups;
    const plane = layer.transposed ? c * outs + (o % outs) : o * layer.perGroup + (c % layer.perGroup);
    return plane * cells(layer.kernel) + tap;
  }

  // What the output at (row, column) of a channel reads: for each tap the cell of the board, the
  // input cell there (null: zeros, or nothing) and the weight, counted row by row.
  function reads(layer, row, column) {
    const along = (a, at) => Geometry.reads(layer.windows[a], at, { border: layer.border, flip: layer.flip, axisBoard: layer.boards[a] });
    const columns = along(1, column), width = layer.boards[1].sources.length;
    return along(0, row).flatMap((r) => columns.map((c) => ({
      tap: r.tap * layer.kernel[1] + c.tap,
      cell: r.cell * width + c.cell,
      input: r.input === null || c.input === null ? null : r.input * layer.size[1] + c.input,
    })));
  }

  // The numbers of the output, a list for each channel, and of each input channel's share of it:
  // partial[o][j] belongs to the j-th channel of sources(layer, o).
  function compute(layer, x, w, bias) {
    const columns = layer.output[1], plane = cells(layer.size), { kind } = layer.state;
    const outputs = [], partial = [];
    for (let o = 0; o < layer.out; o++) {
      const shares = sources(layer, o).map((channel) => layer.at.map((taps, place) => {
        const there = taps.filter((t) => t.input !== null);
        const values = there.map((t) => x[channel * plane + t.input]);
        if (kind === "maxpool") return values.length ? Arithmetic.largest(values) : null;
        if (kind === "avgpool") {
          const [r, c] = [Math.floor(place / columns), place % columns];
          return Arithmetic.over(Arithmetic.sum(values), Geometry.divisor(layer.windows[0], r) * Geometry.divisor(layer.windows[1], c));
        }
        return Arithmetic.sum(values.map((v, i) => Arithmetic.mul(w[weightIndex(layer, o, channel, there[i].tap)], v)));
      }));
      partial.push(shares);
      const shift = bias && bias.length ? bias[o] : 0;
      outputs.push(layer.pool ? shares[0] : layer.at.map((_, place) => shares.reduce((sum, share) => Arithmetic.add(sum, share[place]), shift)));
    }
    return { outputs, partial };
  }

  // What a cell has to do with the others. A target is one of
  //   { board: "y", o, place }            an output: what it is made of
  //   { board: "s", o, c, place }         the share of one input channel in it
  //   { board: "x", c, input }            an input: which outputs it reaches
  //   { board: "w", o, c, tap }           a weight: what it multiplies, which outputs it reaches
  // The links are lists of such cells, `x` with the `tap` that multiplies it; `cell` is the place
  // on the board, which has padding and inserted zeros too (there `input` is null).
  function links(layer, target) {
    const found = { x: [], w: [], y: [] };
    const into = (o, c, place, t) => {
      found.x.push({ c, ...t, o });
      if (!layer.pool && (t.input !== null || !layer.transposed)) found.w.push({ o, c, tap: t.tap });
    };
    if (target.board === "y" || target.board === "s") {
      const { o, place } = target;
      for (const c of target.board === "s" ? [target.c] : sources(layer, o)) layer.at[place].forEach((t) => into(o, c, place, t));
      return found;
    }
    for (let o = 0; o < layer.out; o++) {
      if (target.board === "w" ? o !== target.o : !sources(layer, o).includes(target.c)) continue;
      layer.at.forEach((taps, place) => {
        const touching = taps.filter((t) => t.input !== null && (target.board === "w" ? t.tap === target.tap : t.input === target.input));
        if (!touching.length) return;
        found.y.push({ o, place, tap: touching[0].tap, taps: touching.map((t) => t.tap) });
        touching.forEach((t) => (target.board === "w" ? found.x.push({ c: target.c, ...t, o }) : layer.pool || found.w.push({ o, c: target.c, tap: t.tap })));
      });
    }
    return found;
  }

  return { KINDS, resolve, counts, sources, weightIndex, reads, links, compute, isPool, ranked };
})();
