// The state of the page: what it may be, its numbers, and its address. No DOM in here.
"use strict";
const State = (() => {
  // Furthest that the sliders go; a page that begins further out keeps its own number as the end.
  const HARD = { n: [1, 16], k: [1, 9], s: [1, 6], p: [0, 8], d: [1, 5], op: [0, 5], in: [1, 4], out: [1, 4], groups: [1, 4] };
  // Most cells of a side of a plane, and of a sequence: more could not be read.
  const MOST = { 1: 64, 2: 36 };

  // Why a state cannot be, in one line; empty where it can.
  function check(state) {
    const layer = Layer.resolve(state, false);
    if (layer.error) return layer.error;
    for (const w of layer.windows) {
      const cells = Math.max(w.output, w.padded ?? w.full);
      if (cells > MOST[state.axes]) return `${cells} cells along one axis are too many to be read; at most ${MOST[state.axes]}`;
    }
    return "";
  }

  // ---- numbers -------------------------------------------------------------------------------

  const ALPHABET = "abcdefghijklmnopqrstuvwxyz";
  // The same small numbers for the same cell each time, so that a link shows what was seen.
  function scattered(i, seed, least, most) {
    let h = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(seed + 7, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3ce5);
    h ^= h >>> 13;
    return String(least + ((h >>> 0) % (most - least + 1)));
  }
  // The name of a cell: letters in turn for a short sequence, else x12 for row 1, column 2.
  function nameOf(name, channel, row, column, [rows, columns], channels) {
    if (rows === 1 && channels === 1 && name === "x" && columns <= 8) return ALPHABET[column];
    if (rows === 1 && channels === 1 && name === "w" && columns <= 8) return "wvutsrqp"[column];
    const place = rows === 1 ? `${column + 1}` : rows < 10 && columns < 10 ? `${row + 1}${column + 1}` : `[${row + 1},${column + 1}]`;
    return name + (channels > 1 ? `${channel + 1}_` : "") + place;
  }
  const sizesOf = (state, key) => Layer.ranked(state[key === "x" ? "n" : "k"], state.axes, 1);

  // A list of `count` texts, plane by plane: `fill` is random, letters, ones or ramp.
  function filled(state, key, fill, seed = 0) {
    const count = Layer.counts(state)[key];
    if (key === "bias") return Array.from({ length: count }, (_, i) => fill === "letters" ? (count > 1 ? `b${i + 1}` : "b") : scattered(i, seed, -2, 3));
    const sizes = sizesOf(state, key), plane = sizes[0] * sizes[1];
    return Array.from({ length: count }, (_, i) => {
      const [row, column] = [Math.floor((i % plane) / sizes[1]), i % sizes[1]];
      if (fill === "letters") return nameOf(key, Math.floor(i / plane), row, column, sizes, count / plane);
      if (fill === "ones") return "1";
      if (fill === "ramp") return String(i % 100);
      return key === "x" ? scattered(i, seed, 0, 4) : scattered(i, seed + 40, -1, 2);
    });
  }

  // The numbers of the old state in the sizes of the new one, cell by cell; what is new is filled.
  function carried(old, state, key) {
    const wanted = Layer.counts(state)[key], have = old[key];
    if (state[key] !== have && (state[key].length === wanted || key === "bias")) return state[key]; // it brings its own
    if (key === "bias") return have.length && wanted ? Array.from({ length: wanted }, (_, i) => have[i] ?? "0") : have;
    if (!wanted) return have; // pooling keeps the weights of the convolution it came from
    const before = sizesOf(old, key), after = sizesOf(state, key);
    const same = before.join() === after.join() && have.length === wanted;
    if (same) return have;
    const letters = have.length > 0 && have.every((text) => /\p{L}/u.test(text));
    const fresh = filled(state, key, letters ? "letters" : "random");
    if (letters && have.join() === filled(old, key, "letters").join()) return fresh; // each is the name of its place
    const [planeBefore, planeAfter] = [before, after].map(([rows, columns]) => rows * columns);
    return fresh.map((text, i) => {
      const [row, column] = [Math.floor((i % planeAfter) / after[1]), i % after[1]];
      const kept = row < before[0] && column < before[1];
      const own = kept && have[Math.floor(i / planeAfter) * planeBefore + row * before[1] + column];
      return own || (letters && have.includes(text) ? `${text}'` : text); // two names, two values
    });
  }
  function withNumbers(old, state) {
    return { ...state, x: carried(old, state, "x"), w: carried(old, state, "w"), bias: carried(old, state, "bias") };
  }

  // ---- the address ---------------------------------------------------------------------------

  const KEYS = ["n", "k", "s", "d", "op"], COUNTS = ["in", "out", "groups"], FLAGS = ["ceil", "flip"];
  function toHash(state) {
    const q = new URLSearchParams({ kind: state.kind, axes: state.axes });
    for (const key of KEYS) q.set(key, state[key].join("x"));
    q.set("p", state.p.map((pair) => pair.join(",")).join("x"));
    for (const key of COUNTS) q.set(key, state[key]);
    for (const key of FLAGS) if (state[key]) q.set(key, "1");
    if (state.border !== "constant") q.set("border", state.border);
    for (const key of ["x", "w", "bias"]) if (state[key].length) q.set(key, state[key].join(" "));
    return q.toString();
  }

  // A state from an address, on the ground of another; null where it says none that can be.
  function fromHash(hash, ground) {
    const q = new URLSearchParams(hash.replace(/^#/, ""));
    if (!q.has("kind")) return null;
    const whole = (text) => (/^\d{1,3}$/.test(text) ? Number(text) : NaN);
    const state = { ...ground, kind: q.get("kind"), axes: whole(q.get("axes") ?? "2"), border: q.get("border") ?? "constant" };
    for (const key of KEYS) if (q.has(key)) state[key] = q.get(key).split("x").map(whole);
    if (q.has("p")) state.p = q.get("p").split("x").map((pair) => pair.split(",").map(whole));
    for (const key of COUNTS) if (q.has(key)) state[key] = whole(q.get(key));
    for (const key of FLAGS) state[key] = q.get(key) === "1";
    const lists = [...KEYS.map((key) => state[key]), ...state.p, COUNTS.map((key) => state[key])];
    const known = Layer.KINDS.includes(state.kind) && Geometry.BORDERS.includes(state.border) && [1, 2].includes(state.axes);
    const even = KEYS.every((key) => state[key].length === 2) && state.p.length === 2 && state.p.every((pair) => pair.length === 2);
    const channels = COUNTS.every((key) => state[key] >= 1 && state[key] <= 4);
    if (!known || !even || !channels || lists.flat().some(Number.isNaN) || check(state)) return null;
    const counts = Layer.counts(state);
    for (const key of ["x", "w", "bias"]) {
      const texts = (q.get(key) ?? "").split(" ").filter(Boolean);
      try { texts.forEach(Arithmetic.parse); } catch { return null; }
      const fits = texts.length === counts[key] || (key === "bias" && !texts.length);
      state[key] = fits ? texts : key === "w" && !counts.w ? texts : filled(state, key, "random");
    }
    return state;
  }

  return { HARD, MOST, check, filled, withNumbers, toHash, fromHash };
})();
