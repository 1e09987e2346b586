// The boards: planes of cells for input, kernel, shares and output, lit and edited cell by cell.
"use strict";
const Boards = (() => {
  // An element with attributes and children; the page is built with nothing else.
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "class") made.className = value;
      else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  const where = (place, columns, rows) => (rows > 1 ? `row ${Math.floor(place / columns)}, column ${place % columns}` : `place ${place % columns}`);
  const MARKS = { padding: "padding", overhang: "beyond the padding", zero: "inserted zero" };
  const many = (count, one) => (count > 1 ? [one] : []);

  // The cells of one input channel: with padding, or with inserted zeros.
  function inputCells(layer, c, texts) {
    const [rows, columns] = layer.boards, width = columns.sources.length, plane = layer.size[0] * layer.size[1];
    const order = ["value", "zero", "padding", "overhang"];
    return rows.sources.flatMap((r, i) => columns.sources.map((s, j) => {
      const mark = order[Math.max(order.indexOf(rows.marks[i]), order.indexOf(columns.marks[j]))];
      const input = r === null || s === null ? null : r * layer.size[1] + s;
      let shown = null;
      if (mark === "padding" && !layer.transposed && !layer.pool) {
        const [y, x] = [i - layer.windows[0].before, j - layer.windows[1].before];
        const from = [Geometry.bordered(layer.border, y, layer.size[0]), Geometry.bordered(layer.border, x, layer.size[1])];
        shown = from.includes(null) ? "0" : texts[c * plane + from[0] * layer.size[1] + from[1]];
      } else if (mark === "padding" && layer.state.kind === "avgpool") shown = "0";
      else if (mark === "zero") shown = "0";
      const place = input === null ? { board: "pad", c, cell: i * width + j } : { board: "x", c, input, cell: i * width + j };
      return { mark, target: place, text: input === null ? shown ?? "" : texts[c * plane + input], edit: input === null ? null : ["x", c * plane + input] };
    }));
  }

  // All boards of a state, as data.
  function describe(layer, texts, results, focusChannel) {
    const [sized, kernel, out] = [layer.boards.map((b) => b.sources.length), layer.kernel, layer.output];
    const groups = { input: [], kernel: [], share: [], output: [] };
    for (let c = 0; c < layer.in; c++) {
      groups.input.push({ key: `x${c}`, role: "input", rows: sized[0], columns: sized[1], title: many(layer.in, `channel ${c}`)[0] ?? "", name: `input${layer.in > 1 ? ` channel ${c}` : ""}`, cells: inputCells(layer, c, texts.x) });
    }
    for (let o = 0; o < layer.out; o++) {
      if (!layer.pool) {
        for (const c of Layer.sources(layer, o)) {
          const cells = Array.from({ length: kernel[0] * kernel[1] }, (_, tap) => {
            const index = Layer.weightIndex(layer, o, c, tap);
            return { mark: "value", target: { board: "w", o, c, tap }, text: texts.w[index], edit: ["w", index] };
          });
          const title = [...many(layer.in, `from ${c}`), ...many(layer.out, `to ${o}`)].join(" ");
          groups.kernel.push({ key: `w${o}_${c}`, role: "kernel", rows: kernel[0], columns: kernel[1], title, name: `kernel ${title}`.trim(), cells, line: o });
        }
        if (layer.perGroup > 1 && o === focusChannel) {
          Layer.sources(layer, o).forEach((c, j) => groups.share.push({
            key: `s${o}_${c}`, role: "output", rows: out[0], columns: out[1], title: `from channel ${c}`, name: `share of channel ${c} in output channel ${o}`,
            cells: results.partial[o][j].map((value, place) => ({ mark: "share", target: { board: "s", o, c, place }, text: Arithmetic.show(value) })),
          }));
        }
      }
      groups.output.push({
        key: `y${o}`, role: "output", rows: out[0], columns: out[1], title: many(layer.out, `channel ${o}`)[0] ?? "", name: `output${layer.out > 1 ? ` channel ${o}` : ""}`,
        cells: results.outputs[o].map((value, place) => ({ mark: "value", target: { board: "y", o, place }, text: value === null ? "−∞" : Arithmetic.show(value) })),
      });
    }
    return groups;
  }

  // ---- elements ------------------------------------------------------------------------------

  // A font in which a text fits its cell; long sums break at their signs, into as many lines as fit.
  function lettering(text, side) {
    const lines = text.length > 7 ? Math.max(Math.floor(side / 12), 1) : 1;
    const longest = Math.max(...text.split(/(?=[+−-])/).map((part) => part.length));
    const across = lines > 1 ? longest : text.length;
    const size = Math.max(Math.min(0.4 * side, (0.9 * side) / Math.max(0.78 * across, 1), lines > 1 ? 12 : side), 9.5);
    return { size: `${size.toFixed(1)}px`, lines: Math.max(Math.floor((0.96 * side) / (1.06 * size)), 1) };
  }

  // A sum as it is shown: it may break before its signs, and runs from left to right even between
  // names in letters that do not (U+200E).
  const LEFTWARD = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
  const breaking = (text) => text.replaceAll("-", "−").replace(/(?!^)[+−]/g, LEFTWARD.test(text) ? "\u200b\u200e$&\u200e" : "\u200b$&");

  // What a cell holds. The element stays when its number changes, and focus and pointer with it.
  function write(made, cell, board, side) {
    const fit = lettering(cell.text, side), kind = MARKS[cell.mark] ? `, ${MARKS[cell.mark]}` : "";
    made.className = `cell ${cell.mark}`;
    made.removeAttribute("data-corner");
    made.setAttribute("aria-label", `${board.name} ${where(made.place, board.columns, board.rows)}${kind}: ${cell.text || "nothing"}`);
    if (cell.text.length > 5) made.title = cell.text; else made.removeAttribute("title");
    made.firstChild.setAttribute("style", `font-size:${fit.size};--lines:${fit.lines}`);
    made.firstChild.textContent = breaking(cell.text);
    made.cell = cell;
    cell.element = made;
  }
  function label(made, board) {
    made.board = board;
    made.setAttribute("aria-label", board.name);
  }

  function grid(board, side) {
    const shown = board.cells.map((cell, place) => {
      const made = element("div", { role: "gridcell", tabindex: place === 0 ? 0 : -1 }, element("span"));
      made.place = place;
      write(made, cell, board, side);
      return made;
    });
    const rows = Array.from({ length: board.rows }, (_, r) =>
      element("div", { role: "row", class: "cells" }, ...shown.slice(r * board.columns, (r + 1) * board.columns)));
    const made = element("div", { role: "grid", class: `grid ${board.role}`, style: `--columns:${board.columns};--side:${side}px` }, ...rows);
    label(made, board);
    return element("figure", { class: "board" }, board.title ? element("figcaption", {}, board.title) : null, element("div", { class: "scroll" }, made));
  }

  const TITLES = { input: "Input", kernel: "Kernel", share: "Shares", output: "Output" };
  function section(name, boards, side, perLine, note, noted) {
    if (!boards.length) return null;
    const lines = [];
    for (let i = 0; i < boards.length; i += perLine) lines.push(element("div", { class: "line" }, ...boards.slice(i, i + perLine).map((board) => grid(board, side))));
    return element("section", { class: `group ${name}${boards.length === 1 ? " single" : ""}` }, element("h2", {}, TITLES[name], noted ? element("small", {}, note || "\u00a0") : null), ...lines);
  }

  // Cells as large as fit side by side, within what can be read and hit. One channel has all its
  // boards in a line; several have a line for each kind of board.
  function sideFor(groups, width, touch, longest) {
    const across = (boards, perLine) => Math.max(...boards.map((b) => b.columns), 0) * Math.min(boards.length, perLine);
    const lines = [across(groups.input, 4), across(groups.kernel, 4), across(groups.output, 4)];
    const single = groups.input.length === 1 && groups.output.length === 1;
    const total = single ? lines[0] + lines[1] + lines[2] : Math.max(...lines);
    const least = touch ? 40 : longest > 5 ? 48 : 32;
    return Math.floor(Math.max(least, Math.min(longest > 5 ? 76 : single ? 50 : 42, (width - 150) / Math.max(total, 1))));
  }

  function render(host, layer, texts, results, focusChannel, notes) {
    const groups = describe(layer, texts, results, focusChannel);
    const longest = Math.max(...Object.values(groups).flat().flatMap((b) => b.cells.map((c) => c.text.length)));
    const touch = matchMedia("(pointer: coarse)").matches || innerWidth <= 700;
    const width = host.clientWidth || 900, side = sideFor(groups, width, touch, Math.min(longest, 8));
    // Sums of letters get cells of their own size, so that they can be read whole.
    const wide = longest > 8 ? Math.max(side, Math.min(124, Math.floor((width - 20) / layer.output[1]))) : side;
    const noted = Object.values(notes).some(Boolean), boards = Object.values(groups).flat();
    const shape = JSON.stringify([side, wide, noted, Object.values(groups).map((list) => list.map((b) => [b.rows, b.columns, b.title]))]);
    if (host.shape === shape) {
      const grids = host.querySelectorAll(".grid");
      boards.forEach((board, i) => {
        label(grids[i], board);
        grids[i].querySelectorAll(".cell").forEach((made, place) => write(made, board.cells[place], board, board.role === "output" ? wide : side));
      });
      if (noted) for (const name of Object.keys(groups)) host.querySelector(`.group.${name} small`)?.replaceChildren(notes[name] || "\u00a0");
    } else {
      host.shape = shape;
      host.replaceChildren(...[
        section("input", groups.input, side, 4, notes.input, noted),
        section("kernel", groups.kernel, side, layer.perGroup, notes.kernel, noted),
        section("share", groups.share, wide, 4, notes.share, noted),
        section("output", groups.output, wide, 4, notes.output, noted),
      ].filter(Boolean));
      for (const box of host.querySelectorAll(".scroll, .line")) {
        if (box.scrollWidth > box.clientWidth + 1) for (const one of box.querySelectorAll(".grid")) one.classList.add("wide"); // it has to scroll
      }
    }
    const index = new Map();
    for (const board of boards) for (const cell of board.cells) index.set(board.key + ":" + cellKey(cell.target), cell);
    return { groups, index, side, lit: [] };
  }
  const cellKey = (t) => (t.board === "x" || t.board === "pad" ? t.cell : t.board === "w" ? t.tap : t.place);

  // ---- light ---------------------------------------------------------------------------------

  function dim(view) {
    for (const made of view.lit) {
      made.classList.remove("lit", "touched", "target");
      made.removeAttribute("data-corner");
    }
    view.lit = [];
  }
  function mark(view, key, name, corner) {
    const cell = view.index.get(key);
    if (!cell) return;
    cell.element.classList.add(name);
    if (corner) cell.element.dataset.corner = corner.replaceAll("-", "−");
    view.lit.push(cell.element);
  }

  // Light a target and all that it is linked with.
  function light(view, layer, texts, target) {
    dim(view);
    if (!target) return;
    const found = Layer.links(layer, target);
    const weight = (o, c, tap) => (layer.pool ? "" : texts.w[Layer.weightIndex(layer, o, c, tap)]);
    const corners = new Map();
    for (const t of found.x) {
      const key = `x${t.c}:${t.cell}`, text = target.board === "x" || target.board === "w" ? "" : weight(t.o, t.c, t.tap);
      corners.set(key, { name: t.input === null && (layer.transposed || layer.border === "constant") ? "touched" : "lit", text });
    }
    const room = view.side >= 36; // for a weight in the corner of a cell
    for (const [key, { name, text }] of corners) mark(view, key, name, text.length > 4 || !room ? "" : text);
    for (const t of found.w) mark(view, `w${t.o}_${t.c}:${t.tap}`, "lit");
    for (const t of found.y) mark(view, `y${t.o}:${t.place}`, "lit", target.board === "x" && t.taps.length === 1 && room ? weight(t.o, target.c, t.tap).slice(0, 4) : "");
    if (target.board === "s") mark(view, `y${target.o}:${target.place}`, "lit");
    if (target.board === "y") for (const c of Layer.sources(layer, target.o)) mark(view, `s${target.o}_${c}:${target.place}`, "lit");
    for (const cell of view.index.values()) if (same(cell.target, target)) { cell.element.classList.add("target"); view.lit.push(cell.element); }
  }
  function same(a, b) {
    if (a.board !== b.board) return false;
    return ["o", "c", "place", "input", "tap"].every((key) => a[key] === b[key]);
  }

  return { element, breaking, render, light };
})();
