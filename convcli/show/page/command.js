// The command lines that compute and draw what the page shows. No DOM in here.
"use strict";
const Command = (() => {
  const quoted = (text) => (/^[\w.,:/x-]+$/.test(text) ? text : `"${text}"`);
  const even = (list) => (list.every((v) => String(v) === String(list[0])) ? String(list[0]) : list.join("x"));

  function nested(texts, sizes) {
    if (sizes.length === 1) return `[${texts.map((text) => Arithmetic.toNumber(Arithmetic.parse(text))).join(",")}]`;
    const each = texts.length / sizes[0];
    return `[${Array.from({ length: sizes[0] }, (_, i) => nested(texts.slice(i * each, (i + 1) * each), sizes.slice(1))).join(",")}]`;
  }
  function table(texts, sizes) {
    const columns = sizes[sizes.length - 1], rows = [];
    for (let i = 0; i < texts.length; i += columns) rows.push(texts.slice(i, i + columns).join(" "));
    return rows.join("; ");
  }

  // `convcli conv` (or conv-transpose, pool) and `convcli draw`, each on its line.
  function lines(state, layer) {
    const axes = state.axes === 1 ? [1] : [0, 1], along = (key) => axes.map((a) => state[key][a]);
    const sizes = along("n"), kernel = along("k");
    const bare = layer.in === 1 && layer.out === 1 && !state.bias.length;
    const letters = [...state.x, ...(layer.pool ? [] : state.w)].some((text) => /\p{L}/u.test(text));
    const weightAxes = layer.transposed ? [layer.in, layer.out / layer.groups] : [layer.out, layer.perGroup];
    const x = layer.in === 1 && (bare || layer.pool) ? table(state.x, sizes) : nestable(state.x, [layer.in, ...sizes]);
    const w = bare ? table(state.w, kernel) : nestable(state.w, [...weightAxes, ...kernel]);
    const pads = axes.map((a) => state.p[a]), symmetric = pads.every(([b, a]) => b === a);
    const p = symmetric ? even(pads.map(([b]) => b)) : pads.every((pair) => String(pair) === String(pads[0])) ? pads[0].join(",") : pads.map((pair) => pair.join(",")).join("x");
    const options = [];
    const option = (name, value, plain) => { if (value !== plain) options.push(name, quoted(value)); };
    option("--stride", even(along("s")), layer.pool ? even(kernel) : "1");
    option("--padding", p, "0");
    option("--dilation", even(along("d")), "1");
    if (layer.transposed) option("--output-padding", even(along("op")), "0");
    if (!layer.pool && layer.groups > 1) options.push("--groups", layer.groups);
    if (layer.border !== "constant") options.push("--border", layer.border);
    if (layer.flip) options.push("--flip");
    if (layer.pool && state.ceil) options.push("--ceil");
    const bias = !layer.pool && state.bias.length ? ["--bias", quoted(state.bias.join(" "))] : [];
    const command = { conv: "conv", conv_transpose: "conv-transpose", maxpool: "pool max", avgpool: "pool avg" }[state.kind];
    const computed = layer.pool ? ["convcli", command, quoted(x), "-k", even(kernel), ...options] : ["convcli", command, quoted(x), quoted(w), ...bias, ...options];
    const numbers = ["--x", quoted(x), ...(layer.pool ? ["--k", even(kernel)] : ["--w", quoted(w)])];
    const drawn = ["convcli", "draw", ...numbers, ...bias, ...(layer.transposed ? ["--transpose"] : []), ...(layer.pool ? ["--pool", state.kind.slice(0, 3)] : []), ...options, ...(state.axes === 1 && !bare ? ["--1d"] : [])];
    void letters;
    return [computed.join(" "), drawn.join(" ")];
  }
  const nestable = (texts, sizes) => (texts.some((text) => /\p{L}/u.test(text)) ? nestedTexts(texts, sizes) : nested(texts, sizes));
  function nestedTexts(texts, sizes) {
    if (sizes.length === 1) return `[${texts.join(",")}]`;
    const each = texts.length / sizes[0];
    return `[${Array.from({ length: sizes[0] }, (_, i) => nestedTexts(texts.slice(i * each, (i + 1) * each), sizes.slice(1))).join(",")}]`;
  }
  return { lines };
})();
