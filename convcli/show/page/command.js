// The command lines that compute and draw what the page shows. No DOM in here.
"use strict";
const Command = (() => {
  // A word for a shell: plain, in double quotes, or in single ones where it has double ones itself.
  function quoted(text) {
    if (/^[\w.,:/-]+$/.test(text)) return text;
    return /["$`\\!]/.test(text) ? `'${text.replaceAll("'", "'\\''")}'` : `"${text}"`;
  }
  const even = (list) => (list.every((v) => String(v) === String(list[0])) ? String(list[0]) : list.join("x"));

  // A number as JSON has it, a letter as it is, whatever else in quotes.
  function entry(text) {
    if (/^-?(0|[1-9]\d*)(\.\d+)?$/.test(text) || /^-?[\p{L}_][\p{L}\p{N}_]*$/u.test(text)) return text;
    return JSON.stringify(text);
  }
  function nested(texts, sizes) {
    if (sizes.length === 1) return `[${texts.map(entry).join(",")}]`;
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
    const weightAxes = layer.transposed ? [layer.in, layer.out / layer.groups] : [layer.out, layer.perGroup];
    const x = layer.in === 1 && (bare || layer.pool) ? table(state.x, sizes) : nested(state.x, [layer.in, ...sizes]);
    const w = bare ? table(state.w, kernel) : nested(state.w, [...weightAxes, ...kernel]);
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
    const ceil = (name) => (layer.pool && state.ceil ? [name] : []);
    const sequences = state.axes === 1 && layer.in > 1 && layer.pool ? ["--dims 1"] : [];
    const bias = !layer.pool && state.bias.length ? ["--bias", quoted(state.bias.join(" "))] : [];
    const command = { conv: "conv", conv_transpose: "conv-transpose", maxpool: "pool max", avgpool: "pool avg" }[state.kind];
    const computed = layer.pool ? ["convcli", command, quoted(x), "-k", even(kernel), ...options, ...ceil("--ceil-mode"), ...sequences] : ["convcli", command, quoted(x), quoted(w), ...bias, ...options];
    const numbers = ["--x", quoted(x), ...(layer.pool ? ["--k", even(kernel)] : ["--w", quoted(w)])];
    const drawn = ["convcli", "draw", ...numbers, ...bias, ...(layer.transposed ? ["--transpose"] : []), ...(layer.pool ? ["--pool", state.kind.slice(0, 3)] : []), ...options, ...ceil("--ceil"), ...(state.axes === 1 && !bare ? ["--1d"] : [])];
    return [computed, drawn].map((words) => words.join(" "));
  }
  return { lines, quoted };
})();
