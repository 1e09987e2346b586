// The view of a trace: planes (two axes) or rows of cells (one), lit by what trace.js finds.
"use strict";
const Field = (() => {
  const state = JSON.parse(document.getElementById("state").textContent);
  const { maps, stops, rank } = state;
  const byId = id => document.getElementById(id);
  const stage = byId("stage");
  const shown = new Map(stops.map((stop, number) => [stop.map, number]));
  const held = { map: state.start, cell: [...state.cell] };
  let current = held;
  let traced = { back: new Map(), forth: new Map() };
  let timer = 0;

  function element(name, attributes = {}, text = "") {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  }

  // ---- places: from cells to the drawing, and back from the pointer ----

  const path = points => `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}Z`;

  function patch(stop, [top, left, bottom, right]) {
    const [rows, columns] = maps[stop.map].sizes;
    return [[top, left], [top, right], [bottom, right], [bottom, left]].map(([row, column]) => {
      const along = column / columns * stop.wide;
      return [stop.x + state.depth * along, stop.y + row / rows * stop.high - state.rise * along];
    });
  }

  function bar(stop, first, last) {
    const left = stop.first + first * stop.step - stop.cell / 2;
    const right = stop.first + last * stop.step + stop.cell / 2;
    return [[left, stop.y], [right, stop.y], [right, stop.y + state.high], [left, stop.y + state.high]];
  }

  const whole = stop => rank === 2
    ? patch(stop, [0, 0, ...maps[stop.map].sizes])
    : bar(stop, 0, maps[stop.map].sizes[0] - 1);

  // Where runs of rows and of columns cross, as one path; too many of them as what holds all.
  function lit(stop, region) {
    return region.map(box => {
      const runs = box.reduce((count, axis) => count * axis.length, 1) > state.most ? box.map(hull) : box;
      if (rank === 1) return runs[0].map(([a, b]) => path(bar(stop, a, b))).join("");
      return runs[0].flatMap(([top, bottom]) => runs[1].map(([left, right]) => (
        path(patch(stop, [top, left, bottom + 1, right + 1]))))).join("");
    }).join("");
  }

  const hull = runs => [[runs[0][0], runs[runs.length - 1][1]]];

  function corners(stop, region) {
    const [rows, columns] = region[0].map((_, axis) => hull(Trace.along(region, axis))[0]);
    return rank === 1 ? bar(stop, ...rows) : patch(stop, [rows[0], columns[0], rows[1] + 1, columns[1] + 1]);
  }

  function pointed(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(stage.getScreenCTM().inverse());
    for (const stop of [...stops].reverse()) {
      const sizes = maps[stop.map].sizes;
      if (rank === 1) {
        const place = Math.round((point.x - stop.first) / stop.step);
        const near = point.y > stop.y - 8 && point.y < stop.y + state.high + 8;
        if (near && place >= 0 && place < sizes[0]) return { map: stop.map, cell: [place] };
        continue;
      }
      const along = (point.x - stop.x) / state.depth;
      const down = point.y - stop.y + state.rise * along;
      const cell = [Math.floor(down / stop.high * sizes[0]), Math.floor(along / stop.wide * sizes[1])];
      if (cell.every((at, axis) => at >= 0 && at < sizes[axis])) return { map: stop.map, cell };
    }
    return null;
  }

  // ---- drawing ----

  const groups = stops.map(() => ({ beams: element("g"), lit: element("g"), words: element("g") }));

  function drawGround() {
    stage.setAttribute("viewBox", `0 0 ${state.view.join(" ")}`);
    stage.style.minWidth = `${0.85 * state.view[0]}px`;
    stage.style.maxWidth = `${1.1 * state.view[0]}px`;
    stops.forEach((stop, number) => {
      const kind = maps[stop.map].reads.length ? "" : " input";
      const group = element("g");
      group.append(element("path", { class: `ground${kind}`, d: path(whole(stop)) }));
      // A beam leaves over its own map, and goes behind the next one.
      group.append(groups[number].lit);
      if (stop.grid) group.append(element("path", { class: `grid${kind}`, d: grid(stop) }));
      group.append(groups[number].beams);
      stage.append(group);
    });
    stops.forEach((_, number) => stage.append(groups[number].words));
  }

  function grid(stop) {
    const sizes = maps[stop.map].sizes;
    const line = (a, b) => `M${a.map(v => v.toFixed(1)).join(" ")}L${b.map(v => v.toFixed(1)).join(" ")}`;
    if (rank === 1) return Array.from({ length: sizes[0] }, (_, i) => path(bar(stop, i, i))).join("");
    const [rows, columns] = sizes;
    let d = "";
    for (let row = 1; row < rows; row++) d += line(...patch(stop, [row, 0, row, columns]).slice(0, 2));
    for (let column = 1; column < columns; column++) {
      const [a, , b] = patch(stop, [0, column, rows, column]);
      d += line(a, b);
    }
    return d;
  }

  function draw() {
    const { back, forth } = traced;
    stops.forEach((stop, number) => {
      const { lit: cells, words, beams } = groups[number];
      cells.replaceChildren();
      beams.replaceChildren();
      const kind = maps[stop.map].reads.length ? "" : " input";
      const way = stop.map === current.map ? "start" : back.has(stop.map) ? "depends" : "reaches";
      const region = regionOf(stop.map);
      if (region.length) cells.append(element("path", { class: `lit ${way}${kind}`, d: lit(stop, region) }));
      words.replaceChildren(...wordsOf(stop, region));
    });
    for (const [target, region] of back) if (shown.has(target)) beams(target, region, null);
    for (const [target, region] of forth) {
      if (shown.has(target) && target !== current.map) beams(target, region, forth);
    }
  }

  // Beams to one map from those it reads; `forth` has the cells that they come from if it is
  // reached, else they come from all that is read.
  function beams(target, region, forth) {
    for (const [source, read] of Trace.sources(maps, target, region, shown)) {
      const from = forth ? forth.get(source) || [] : read;
      if (!region.length || !from.length) continue;
      const ends = [stops[shown.get(source)], stops[shown.get(target)]];
      const far = ends[1].column - ends[0].column > 1 ? " far" : "";
      const add = d => groups[shown.get(source)].beams.append(
        element("path", { class: `beam${far}${forth ? " reaches" : ""}`, d }));
      const [one, two] = [corners(ends[0], from), corners(ends[1], region)];
      const lines = rank === 1 && ends.every(stop => stop.grid) ? pairs(source, target, from, region) : null;
      if (lines) add(lines);
      else if (rank === 1) add(path([two[3], two[2], one[1], one[0]]));
      else one.forEach((corner, i) => add(path([corner, one[(i + 1) % 4], two[(i + 1) % 4], two[i]])));
    }
  }

  // A line for each pair of cells along one axis, one reading the other.
  function pairs(source, target, from, region) {
    const [low, high] = [stops[shown.get(source)], stops[shown.get(target)]];
    const places = runs => runs.flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, i) => a + i));
    const wanted = new Set(places(Trace.along(from, 0)));
    const at = (stop, place) => (stop.first + place * stop.step).toFixed(1);
    let d = "";
    for (const place of places(Trace.along(region, 0))) {
      const read = new Map(Trace.sources(maps, target, [[[[place, place]]]], shown)).get(source) || [];
      for (const other of places(Trace.along(read, 0))) {
        if (wanted.has(other)) d += `M${at(high, place)} ${high.y + state.high}L${at(low, other)} ${low.y}`;
      }
    }
    return d;
  }

  function wordsOf(stop, region) {
    const size = maps[stop.map].sizes.join("x");
    const places = region.length
      ? state.axes.map((name, axis) => `${name} ${runsText(Trace.along(region, axis))}`)
      : ["not part of it"];
    const share = region.length ? percent(stop.map, region) : "";
    if (rank === 1) {
      return [
        element("text", { class: "start head", x: state.left, y: stop.y + 8 }, stop.label),
        element("text", { class: "start", x: state.left, y: stop.y + 28 }, `${places} of ${size}`),
      ];
    }
    const lines = state.brief
      ? [["head", stop.label], ["", places.join(", ")], ["", share]]
      : [["head", stop.label], ["aside", `map ${size}`], ...places.map(text => ["", text]), ["", share]];
    const x = stop.x + state.depth * stop.wide / 2;
    return lines.map(([name, text], line) => element("text", { class: name, x, y: stop.below + 30 + 20 * line }, text));
  }

  // ---- words, as the table of convcli shape --trace has them ----

  function runsText(runs) {
    if (!runs.length) return "none";
    const [first, last] = hull(runs)[0];
    const steps = new Set(runs.slice(1).map((run, i) => run[0] - runs[i][0]));
    if (runs.length > 2 && steps.size === 1 && runs.every(([a, b]) => a === b)) return `${first}-${last} by ${[...steps][0]}`;
    if (runs.length > 3) return `${first}-${last} with gaps`;
    return runs.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(", ");
  }

  function percent(map, region) {
    const cells = maps[map].sizes.reduce((a, b) => a * b, 1);
    const count = Trace.cellCount(region);
    if (count === cells) return "100 %";
    const tenths = Math.min(Math.round(1000 * (count / cells)), 999);
    return tenths ? `${tenths / 10} %` : "<0.1 %";
  }

  const regionOf = map => traced.back.get(map) || traced.forth.get(map) || [];

  function tell() {
    const name = at => maps[at].name;
    const where = (map, verb) => {
      const region = regionOf(map);
      if (!region.length) return "";
      const places = state.axes.map((axis, i) => `${axis} ${runsText(Trace.along(region, i))}`).join(", ");
      return `${verb} ${places} of ${name(map)}: ${percent(map, region)} of its cells`;
    };
    const inputs = maps.map((_, at) => at).filter(at => !maps[at].reads.length && at !== current.map && traced.back.has(at));
    const last = stops[stops.length - 1].map;
    const parts = inputs.map(at => where(at, "depends on"));
    if (last !== current.map && traced.forth.has(last)) parts.push(where(last, "reaches"));
    const size = maps[current.map].sizes.join("x");
    const said = parts.filter(Boolean).join("; it ") || "reads padding alone";
    byId("said").textContent = `Cell ${current.cell.join(",")} of ${name(current.map)} (${size}) ${said}.`;
  }

  function fillTable() {
    byId("numbers").tHead.innerHTML = "";
    const cell = (name, text, kind) => Object.assign(document.createElement(name), { textContent: text, className: kind || "" });
    const head = document.createElement("tr");
    for (const text of ["layer", "name", "map", ...state.axes]) head.append(Object.assign(cell("th", text), { scope: "col" }));
    for (const text of ["count", "share"]) head.append(Object.assign(cell("th", text, "number"), { scope: "col" }));
    byId("numbers").tHead.append(head);
    const rows = state.table.map(({ map, label }) => {
      const row = document.createElement("tr");
      const region = regionOf(map);
      row.className = `${region.length ? "seen" : ""}${map === current.map ? " current" : ""}`;
      row.append(Object.assign(cell("th", label), { scope: "row" }), cell("td", maps[map].name), cell("td", maps[map].sizes.join("x")));
      state.axes.forEach((_, axis) => row.append(cell("td", region.length ? runsText(Trace.along(region, axis)) : "-")));
      row.append(cell("td", region.length ? Trace.cellCount(region).toLocaleString("en") : "-", "number"));
      row.append(cell("td", region.length ? percent(map, region) : "-", "number"));
      return row;
    });
    byId("numbers").tBodies[0].replaceChildren(...rows);
  }

  // ---- what can be done ----

  function show(target) {
    current = target;
    traced = {
      back: Trace.backwards(maps, target.map, target.cell),
      forth: Trace.forwards(maps, target.map, target.cell),
    };
    draw();
    tell();
    fillTable();
  }

  function hold(target) {
    held.map = target.map;
    held.cell = [...target.cell];
    show(held);
    fillControls();
  }

  function fillControls() {
    byId("layer").value = held.map;
    byId("places").replaceChildren(...state.axes.map((name, axis) => {
      const label = document.createElement("label");
      const most = maps[held.map].sizes[axis] - 1;
      const input = Object.assign(document.createElement("input"), { type: "number", min: 0, max: most, value: held.cell[axis] });
      input.addEventListener("change", () => {
        held.cell[axis] = clamp(Math.round(Number(input.value) || 0), most);
        hold(held);
        byId("places").querySelectorAll("input")[axis].focus();
      });
      label.append(`${state.single[axis]} `, input);
      return label;
    }));
  }

  const clamp = (value, most) => Math.min(Math.max(value, 0), most);
  const middle = map => maps[map].sizes.map(size => Math.floor((size - 1) / 2));

  function move(axis, by) {
    held.cell[axis] = clamp(held.cell[axis] + by, maps[held.map].sizes[axis] - 1);
    hold(held);
  }

  function changeLayer(by) {
    const at = state.table.findIndex(row => row.map === held.map);
    const next = state.table[clamp(at + by, state.table.length - 1)].map;
    hold({ map: next, cell: middle(next) });
  }

  function play(on) {
    clearInterval(timer);
    timer = 0;
    byId("play").setAttribute("aria-pressed", String(on));
    byId("play").textContent = on ? "Pause" : "Play";
    if (!on) return;
    timer = setInterval(() => {
      const sizes = maps[held.map].sizes;
      for (let axis = rank - 1; axis >= 0; axis--) {
        held.cell[axis] = (held.cell[axis] + 1) % sizes[axis];
        if (held.cell[axis]) break;
      }
      hold(held);
    }, state.wait);
  }

  function listen() {
    stage.addEventListener("pointermove", event => {
      const target = event.pointerType === "touch" ? null : pointed(event);
      if (target && !timer && String([target.map, target.cell]) !== String([current.map, current.cell])) show(target);
    });
    stage.addEventListener("pointerleave", () => { if (!timer) show(held); });
    stage.addEventListener("click", event => {
      const target = pointed(event);
      if (target) { play(false); hold(target); }
    });
    stage.addEventListener("keydown", event => {
      const keys = rank === 2
        ? { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [1, -1], ArrowRight: [1, 1] }
        : { ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      const { key } = event;
      if (keys[key]) move(...keys[key]);
      else if (key === "PageUp" || (rank === 1 && key === "ArrowDown")) changeLayer(-1);
      else if (key === "PageDown" || (rank === 1 && key === "ArrowUp")) changeLayer(1);
      else if (key === " ") play(!timer);
      else return;
      event.preventDefault();
    });
    byId("layer").addEventListener("change", event => {
      const map = Number(event.target.value);
      hold({ map, cell: middle(map) });
    });
    byId("middle").addEventListener("click", () => hold({ map: held.map, cell: middle(held.map) }));
    byId("play").addEventListener("click", () => play(!timer));
    byId("where").addEventListener("submit", event => event.preventDefault());
  }

  for (const { map, label } of state.table) {
    byId("layer").append(new Option(label === maps[map].name ? label : `${maps[map].name}: ${label}`, map));
  }
  drawGround();
  listen();
  hold(held);
  return { show, hold, regionOf, get current() { return current; } };
})();
