// The working of a cell with its numbers put in, and of the output size along each axis.
"use strict";
const Formula = (() => {
  const { element, breaking } = Boards;
  const MOST = 64; // products of one channel that are written out

  const typeset = (text) => text.replaceAll("-", "−").replaceAll("*", "·");
  const part = (role, text) => element("span", { class: `n ${role}` }, breaking(text.replaceAll("*", "·")));
  const bracketed = (text) => (/^[-−]|[+-]/.test(text) ? `(${text})` : text);
  const index = (layer, place) => (layer.state.axes === 1 ? `${place}` : `${Math.floor(place / layer.output[1])}, ${place % layer.output[1]}`);
  const named = (letter, channels, o, rest) => `${letter}[${channels > 1 ? `${o}; ` : ""}${rest}]`;

  // The products that one channel gives to an output, as elements.
  function products(layer, texts, o, c, place) {
    const plane = layer.size[0] * layer.size[1], taps = layer.at[place].filter((t) => t.input !== null);
    const shown = taps.slice(0, MOST).flatMap((t, i) => {
      const x = part("input", bracketed(texts.x[c * plane + t.input]));
      const w = layer.pool ? [] : ["·", part("kernel", bracketed(texts.w[Layer.weightIndex(layer, o, c, t.tap)]))];
      return [i ? (layer.state.kind === "maxpool" ? ", " : " + ") : "", x, ...w];
    });
    if (taps.length > MOST) shown.push(` + … (${taps.length - MOST} more)`);
    return { shown, left: layer.at[place].length - taps.length, count: taps.length };
  }

  function ofOutput(layer, texts, results, { o, place }) {
    const lines = [], total = results.outputs[o][place], pool = layer.state.kind;
    const left = element("b", {}, `${named("y", layer.out, o, index(layer, place))} = `);
    const value = part("output", total === null ? "−∞" : Arithmetic.show(total));
    const sources = Layer.sources(layer, o), zeros = products(layer, texts, o, sources[0], place).left;
    const note = zeros ? element("small", {}, ` ${zeros} tap${zeros > 1 ? "s" : ""} on ${layer.transposed ? "inserted zeros or outside" : layer.pool ? "padding" : "zeros of the padding"}`) : null;
    if (layer.pool) {
      const { shown } = products(layer, texts, o, o, place);
      const [r, c] = [Math.floor(place / layer.output[1]), place % layer.output[1]];
      const cells = pool === "avgpool" ? Geometry.divisor(layer.windows[0], r) * Geometry.divisor(layer.windows[1], c) : 0;
      lines.push(pool === "maxpool" ? [left, "max(", ...shown, ") = ", value, note] : [left, "(", ...(shown.length ? shown : ["0"]), `) / ${cells} = `, value, note]);
      return lines;
    }
    const bias = texts.bias[o];
    if (sources.length === 1) {
      const { shown } = products(layer, texts, o, sources[0], place);
      return [[left, ...(shown.length ? shown : ["0"]), bias ? " + bias " : "", bias ? part("bias", bracketed(bias)) : "", " = ", value, note]];
    }
    sources.forEach((c, j) => {
      const { shown } = products(layer, texts, o, c, place);
      lines.push([`channel ${c}: `, ...(shown.length ? shown : ["0"]), " = ", part("output", Arithmetic.show(results.partial[o][j][place]))]);
    });
    const shares = sources.flatMap((c, j) => [j ? " + " : "", part("output", bracketed(Arithmetic.show(results.partial[o][j][place])))]);
    lines.push([left, ...shares, bias ? " + bias " : "", bias ? part("bias", bracketed(bias)) : "", " = ", value, note]);
    return lines;
  }

  function ofShare(layer, texts, results, { o, c, place }) {
    const { shown } = products(layer, texts, o, c, place), j = Layer.sources(layer, o).indexOf(c);
    return [[element("b", {}, `share of channel ${c} in ${named("y", layer.out, o, index(layer, place))} = `), ...(shown.length ? shown : ["0"]), " = ", part("output", Arithmetic.show(results.partial[o][j][place]))]];
  }

  function ofReach(layer, texts, target) {
    const found = Layer.links(layer, target).y, columns = (target.board === "w" ? layer.kernel : layer.size)[1];
    const at = target.board === "w" ? target.tap : target.input;
    const place = layer.state.axes === 1 ? `${at}` : `${Math.floor(at / columns)}, ${at % columns}`;
    const value = target.board === "w" ? texts.w[Layer.weightIndex(layer, target.o, target.c, target.tap)] : texts.x[target.c * layer.size[0] * layer.size[1] + target.input];
    const what = target.board === "w" ? "weight" : "input", letter = target.board === "w" ? "w" : "x";
    const name = element("b", {}, `${what} ${named(letter, layer.in, target.board === "w" ? `${target.o}, ${target.c}` : target.c, place)} = `);
    if (!found.length) return [[name, part(target.board === "w" ? "kernel" : "input", value), " reaches no output"]];
    const list = found.slice(0, 12).flatMap((t, i) => [i ? ", " : "", named("y", layer.out, t.o, index(layer, t.place)), target.board === "x" && !layer.pool ? ` by ${t.taps.map((tap) => typeset(texts.w[Layer.weightIndex(layer, t.o, target.c, tap)])).join(" and ")}` : ""]);
    return [[name, part(target.board === "w" ? "kernel" : "input", value), ` reaches ${found.length} output${found.length > 1 ? "s" : ""}: `, ...list, found.length > 12 ? ", …" : ""]];
  }

  function show(host, layer, texts, results, target) {
    const lines = target.board === "y" ? ofOutput(layer, texts, results, target)
      : target.board === "s" ? ofShare(layer, texts, results, target) : ofReach(layer, texts, target);
    host.replaceChildren(...lines.map((line) => element("p", {}, ...line)));
    // It never becomes lower while one points about, or the boards below would slip away.
    host.style.minHeight = `${host.offsetHeight}px`;
  }

  // The output size along each axis, one line each, or one for both where they agree.
  function sizes(host, layer) {
    const axes = layer.state.axes === 1 ? [1] : [0, 1];
    const lines = axes.map((a) => ({ ...Geometry.derive(layer.windows[a]), output: layer.output[a] }));
    const both = lines.length === 2 && lines[0].numbers === lines[1].numbers;
    host.replaceChildren(...(both ? lines.slice(1) : lines).map((line, i) => element("p", {},
      element("span", { class: "axis" }, both || axes.length === 1 ? "Output size" : `Output ${["rows", "columns"][i]}`), " ",
      element("span", { class: "mono" }, typeset(line.formula), " = ", typeset(line.numbers), " = "), element("b", { class: "n output" }, `${line.output}`))));
  }

  return { show, sizes, typeset };
})();
