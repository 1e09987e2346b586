// The picture view: a small picture and what a kernel makes of it, pixel by pixel under the pointer.
"use strict";
const Picture = (() => {
  const { element } = Boards;
  const MOST = 192; // pixels of the longer side of a picture that is opened in the page
  const typeset = (v) => String(v).replaceAll("-", "−");
  const short = (v) => typeset(Number.isInteger(v) ? v : Number(v.toPrecision(5)));
  let host, config, source, shown, filtered, kernel, numbers, spot, settings, name, built = false;

  const number = (text) => {
    const value = Arithmetic.parse(text);
    if (Arithmetic.hasLetters(value)) throw new Error(`${text} is a letter; a picture is filtered with numbers`);
    return Arithmetic.toNumber(value);
  };
  // The kernel as numbers, from the texts in the fields.
  const asNumbers = () => ({ ...kernel, planes: kernel.planes.map((plane) => plane.map((row) => row.map(number))), scale: number(kernel.scale), bias: number(kernel.bias) });

  // ---- the picture ---------------------------------------------------------------------------

  async function decoded(address) {
    const image = new Image();
    image.src = address;
    await image.decode();
    return image;
  }
  // The samples of an image, made smaller where it is larger than what the page can show.
  function samples(image) {
    const scale = Math.min(1, MOST / Math.max(image.naturalWidth, image.naturalHeight));
    const [width, height] = [image.naturalWidth, image.naturalHeight].map((side) => Math.max(1, Math.round(side * scale)));
    const canvas = element("canvas", { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "rgb(96,96,96)"; // what is transparent lies on gray
    context.fillRect(0, 0, width, height);
    context.drawImage(image, 0, 0, width, height);
    const rgba = context.getImageData(0, 0, width, height).data;
    const data = new Uint8ClampedArray(width * height * 3);
    let gray = true;
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++) data[3 * i + c] = rgba[4 * i + c];
      gray &&= rgba[4 * i] === rgba[4 * i + 1] && rgba[4 * i] === rgba[4 * i + 2];
    }
    if (!gray) return { width, height, channels: 3, data };
    return { width, height, channels: 1, data: data.filter((_, i) => i % 3 === 0) };
  }
  async function load(address, called) {
    source = samples(await decoded(address));
    name = called;
    spot = { x: Math.floor(source.width / 2), y: Math.floor(source.height / 2), channel: 0 };
    update();
  }
  function paint(canvas, { width, height, channels, data }) {
    canvas.width = width;
    canvas.height = height;
    const image = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = data[i * channels + (channels === 3 ? c : 0)];
      image.data[4 * i + 3] = 255;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  // ---- what follows from a change ------------------------------------------------------------

  const part = (id) => host.querySelector(`#${id}`);
  function update() {
    if (!source) return;
    try { numbers = asNumbers(); part("picture-problem").textContent = ""; } catch (error) {
      part("picture-problem").textContent = error.message;
      return;
    }
    shown = settings.gray ? Filter.gray(source) : source;
    spot.channel = Math.min(spot.channel, shown.channels - 1);
    filtered = Filter.apply(shown, numbers, settings);
    host.querySelectorAll("#channels input").forEach((radio, c) => { radio.checked = c === spot.channel; });
    paint(part("before"), shown);
    paint(part("after"), filtered);
    const ratio = shown.width / shown.height, halves = host.querySelector(".halves");
    halves.style.setProperty("--ratio", ratio); // a tall picture is no higher than the window
    halves.classList.toggle("stacked", ratio > 2.4);
    const share = filtered.clipped / filtered.data.length;
    part("clipped").textContent = share > 0.01 ? `${Math.round(share * 100)} % of the samples are beyond black or white and were clipped` : "";
    part("channels").hidden = shown.channels === 1;
    part("picture-command").textContent = command();
    document.querySelector("h1").textContent = document.title = `${name} under ${kernel.name}`;
    try { history.replaceState(null, "", "#" + toHash()); } catch { /* a page within a page has no address */ }
    magnify();
  }
  function magnify() {
    const work = Filter.working(shown, numbers, settings, spot.x, spot.y, spot.channel);
    const columns = numbers.planes[0][0].length, rows = numbers.planes[0].length;
    const result = filtered.data[(spot.y * filtered.width + spot.x) * filtered.channels + spot.channel];
    const grids = numbers.planes.map((_, p) => element("div", { class: "grid input magnified", "aria-hidden": "true", style: `--columns:${columns};--side:${columns > 9 ? 34 : columns > 5 ? 40 : 52}px` },
      element("div", { class: "cells" }, ...work.cells.map((cell) => {
        const made = element("div", { class: `cell ${cell.outside ? "padding" : "value"} ${cell.weights[p] ? "lit" : ""}`, "data-corner": short(cell.weights[p]) }, element("span", {}, String(cell.value)));
        made.style.setProperty("--sample", `rgb(${cell.value},${cell.value},${cell.value})`);
        return made;
      }))));
    part("magnifier").replaceChildren(...grids);
    const joined = numbers.combine === "magnitude" ? `√(${work.sums.map((v) => `${numbers.scale * v < 0 ? `(${short(numbers.scale * v)})` : short(numbers.scale * v)}²`).join(" + ")})` : numbers.combine === "maximum" ? `the largest of ${work.sums.map((v) => short(numbers.scale * v)).join(", ")}` : "";
    const products = work.cells.filter((cell) => cell.weights[0] && numbers.planes.length === 1).slice(0, 49).map((cell) => `${cell.value}·${cell.weights[0] < 0 ? `(${short(cell.weights[0])})` : short(cell.weights[0])}`).join(" + ");
    const scaled = numbers.scale === 1 ? "" : ` · ${typeset(kernel.scale)}`, shifted = numbers.bias ? ` + ${short(numbers.bias)}` : "";
    const mode = { abs: work.response < 0 ? ", its amount" : "", offset: ", + 128", stretch: ", stretched over the picture", clip: "" }[work.mode];
    const where = `x ${spot.x}, y ${spot.y}${shown.channels > 1 ? `, ${["red", "green", "blue"][spot.channel]}` : ""}: ${shown.data[(spot.y * shown.width + spot.x) * shown.channels + spot.channel]} becomes ${result}`;
    part("where").textContent = where;
    part("sum").replaceChildren(joined || (scaled ? `(${products || "0"})${scaled}` : products || "0"), shifted, ` = ${short(work.response)}${mode}${work.mode === "stretch" ? "" : " → "}`, work.mode === "stretch" ? "" : element("b", { class: "n output" }, String(result)));
    const [up, left] = [Math.floor((rows - 1) / 2), Math.floor((columns - 1) / 2)];
    frame(part("window"), spot.x - left, spot.y - up, columns, rows);
    frame(part("pixel"), spot.x, spot.y, 1, 1);
  }
  function frame(box, x, y, width, height) {
    const share = (v, all) => `${(100 * v) / all}%`;
    Object.assign(box.style, { left: share(x, shown.width), top: share(y, shown.height), width: share(width, shown.width), height: share(height, shown.height) });
  }

  // ---- the address and the command -----------------------------------------------------------

  function toHash() {
    const q = new URLSearchParams({ view: "picture", kernel: kernel.name, scale: kernel.scale, bias: kernel.bias, border: settings.border, range: settings.range });
    if (kernel.name === "edited") q.set("w", kernel.planes[0].map((row) => row.join(" ")).join(";"));
    if (kernel.name === "edited" && kernel.absolute) q.set("abs", "1");
    if (settings.gray) q.set("gray", "1");
    return q.toString();
  }
  function fromHash(hash) {
    const q = new URLSearchParams(hash.replace(/^#/, ""));
    if (q.get("view") !== "picture") return;
    const named = [config.kernel, ...config.presets].find((p) => p.name === q.get("kernel"));
    const planes = q.has("w") ? [q.get("w").split(";").map((row) => row.trim().split(/\s+/))] : null;
    const whole = planes && planes[0].length <= 15 && planes[0].every((row) => row.length === planes[0][0].length && row.length <= 15);
    const found = named ? structuredClone(named) : whole ? { ...structuredClone(config.kernel), name: "edited", planes, known: false, combine: "none", absolute: q.get("abs") === "1" } : null;
    if (!found) return;
    const before = kernel;
    kernel = { ...found, scale: q.get("scale") ?? found.scale, bias: q.get("bias") ?? found.bias };
    try { asNumbers(); } catch { kernel = before; return; }
    if (Geometry.BORDERS.includes(q.get("border"))) settings.border = q.get("border");
    if (Filter.RANGES.includes(q.get("range"))) settings.range = q.get("range");
    settings.gray = q.get("gray") === "1";
  }
  function command() {
    const preset = [config.kernel, ...config.presets].find((p) => p.name === kernel.name);
    const same = preset && JSON.stringify([preset.planes, preset.scale, preset.bias]) === JSON.stringify([kernel.planes, kernel.scale, kernel.bias]);
    const words = ["convcli filter", Command.quoted(/^-/.test(name) ? `./${name}` : name)];
    if (settings.gray && source.channels === 3) words.push("-k grayscale-601");
    const literal = kernel.planes[0].map((row) => row.join(" ")).join("; ").replaceAll("−", "-");
    const byName = (same && preset.known) || kernel.planes.length > 1;
    words.push("-k", Command.quoted(byName ? kernel.name : literal));
    if (!byName && kernel.scale !== "1") words.push(`--scale ${number(kernel.scale)}`);
    if (!byName && kernel.bias !== "0") words.push(`--bias ${number(kernel.bias)}`);
    if (settings.border !== "reflect") words.push(`--border ${settings.border}`);
    const range = settings.range === "auto" && !byName && kernel.absolute ? "abs" : settings.range;
    if (range !== "auto") words.push(`--range ${range}`);
    return `${words.join(" ")} -o out.png`;
  }

  // ---- building ------------------------------------------------------------------------------

  function choose(preset) {
    kernel = structuredClone(preset);
    fields();
    update();
  }
  function edited() {
    kernel.name = "edited";
    part("picture-preset").value = "";
  }
  // A field for each weight; a kernel of several planes is shown as it is.
  function fields() {
    const stack = kernel.planes.length > 1;
    part("weights").replaceChildren(...kernel.planes.map((plane) => element("div", { class: "weights", style: `--columns:${plane[0].length}` },
      ...plane.flatMap((row, i) => row.map((text, j) => element("input", {
        type: "text", value: text, readonly: stack, "aria-label": `weight, row ${i}, column ${j}`, autocomplete: "off",
        oninput: (e) => { plane[i][j] = e.target.value; e.target.title = e.target.value; edited(); update(); },
      }))))));
    part("stack").textContent = stack ? `${kernel.name} joins ${kernel.planes.length} kernels by their ${kernel.combine}; choose one with a single kernel to edit it` : "";
    part("picture-side").disabled = stack;
    part("picture-side").value = kernel.planes[0].length === kernel.planes[0][0].length && kernel.planes[0].length % 2 ? kernel.planes[0].length : "";
    part("picture-scale").value = kernel.scale;
    part("picture-bias").value = kernel.bias;
    part("picture-preset").value = config.presets.some((p) => p.name === kernel.name) ? kernel.name : "";
  }
  function resize(side) {
    const old = kernel.planes[0], shift = Math.floor((side - 1) / 2) - Math.floor((old.length - 1) / 2), left = Math.floor((side - 1) / 2) - Math.floor((old[0].length - 1) / 2);
    kernel.planes = [Array.from({ length: side }, (_, i) => Array.from({ length: side }, (_, j) => old[i - shift]?.[j - left] ?? "0"))];
    edited();
    fields();
    update();
  }
  function pane(id, title, box) {
    const canvas = element("canvas", { id, width: 1, height: 1 });
    const made = element("div", { class: "pane", tabindex: 0, role: "application", "aria-label": `${title}: arrow keys move over the pixels, with Shift by ten`, "aria-describedby": "where" }, canvas, element("div", { class: "frame", id: box }));
    const move = (e) => {
      const area = canvas.getBoundingClientRect();
      const at = (v, low, size, count) => Math.max(0, Math.min(count - 1, Math.floor(((v - low) / size) * count)));
      spot = { ...spot, x: at(e.clientX, area.left, area.width, shown.width), y: at(e.clientY, area.top, area.height, shown.height) };
      magnify();
    };
    made.addEventListener("pointermove", move);
    made.addEventListener("pointerdown", move);
    made.addEventListener("keydown", (e) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
      if (!by) return;
      e.preventDefault();
      const step = e.shiftKey ? 10 : 1, within = (v, count) => Math.max(0, Math.min(count - 1, v));
      spot = { ...spot, x: within(spot.x + step * by[0], shown.width), y: within(spot.y + step * by[1], shown.height) };
      magnify();
    });
    return element("figure", { class: "half" }, element("h2", {}, title), made);
  }
  function select(id, label, options, value, act) {
    return element("div", { class: "control select" }, element("label", { for: id }, label),
      element("select", { id, onchange: (e) => act(e.target.value) }, ...options.map(([v, text]) => element("option", { value: v, selected: v === value }, text))));
  }
  function field(id, label, act) {
    return element("div", { class: "control select" }, element("label", { for: id }, label), element("input", { id, type: "text", autocomplete: "off", oninput: (e) => act(e.target.value) }));
  }
  function build() {
    const colours = element("fieldset", { class: "pills", id: "channels" }, element("legend", { class: "hidden" }, "Channel that is worked out"), ...["Red", "Green", "Blue"].map((label, c) => element("label", { class: "pill" },
      element("input", { type: "radio", name: "channel", value: c, checked: c === 0, onchange: () => { spot.channel = c; magnify(); } }), element("span", {}, label))));
    const chooser = element("input", { type: "file", id: "file", accept: "image/*", class: "hidden", tabindex: -1, "aria-label": "Picture", onchange: async (e) => {
      const file = e.target.files[0];
      if (!file) return;
      const address = URL.createObjectURL(file);
      try { await load(address, file.name); } catch { part("picture-problem").textContent = `${file.name} is no picture that the browser can show`; }
      URL.revokeObjectURL(address);
    } });
    host.replaceChildren(
      element("div", { class: "stage" },
        element("div", { class: "halves" }, pane("before", "Picture", "window"), pane("after", "Filtered", "pixel")),
        element("p", { id: "clipped", class: "why" }),
        element("div", { class: "worked" }, element("div", { id: "magnifier", class: "magnifier" }),
          element("div", {}, colours, element("div", { class: "formula", role: "group", "aria-label": "Working", tabindex: 0 }, element("p", { id: "where", "aria-live": "polite" }), element("p", { id: "sum", class: "mono" }))))),
      element("div", { class: "controls" },
        select("picture-preset", "Kernel", [["", "edited"], ...config.presets.map((p) => [p.name, p.name])], kernel.name, (v) => { const found = config.presets.find((p) => p.name === v); if (found) choose(found); }),
        element("div", { id: "weights", role: "group", "aria-label": "Weights" }), element("p", { id: "stack", class: "why" }),
        select("picture-side", "Kernel size", [["", "other"], ...[1, 3, 5, 7].map((v) => [v, `${v}×${v}`])], 3, (v) => { if (v) resize(Number(v)); }),
        field("picture-scale", "Scale", (v) => { kernel.scale = v; edited(); update(); }),
        field("picture-bias", "Bias", (v) => { kernel.bias = v; edited(); update(); }),
        select("picture-border", "Border", Geometry.BORDERS.map((v) => [v, v === "constant" ? "constant 0" : v]), settings.border, (v) => { settings.border = v; update(); }),
        select("picture-range", "Range", [["auto", "auto"], ["clip", "clip to 0…255"], ["abs", "amounts"], ["offset", "add 128"], ["stretch", "stretch"]], settings.range, (v) => { settings.range = v; update(); }),
        element("label", { class: "check" }, element("input", { type: "checkbox", name: "gray", checked: settings.gray, onchange: (e) => { settings.gray = e.target.checked; update(); } }), "Gray"),
        chooser, element("button", { type: "button", onclick: () => chooser.click() }, "Open a picture…"),
        element("p", { id: "picture-problem", class: "problem", role: "alert" })),
      element("div", { class: "below" }, element("div", { class: "command" }, element("h2", {}, "The same in the terminal"), element("pre", { id: "picture-command", tabindex: 0, "aria-label": "Command line" })),
        element("p", { class: "why" }, "The picture stays in this page: nothing is sent anywhere. Large pictures are made smaller first.")));
  }

  // Show the view; what it needs is made the first time.
  async function open(panel, from, linked = "") {
    [host, config] = [panel, from];
    if (!built) {
      built = true;
      kernel = structuredClone(config.kernel);
      settings = { border: "reflect", range: "auto", gray: false };
      fromHash(linked);
      build();
      fields();
      if (config.picture) await load(config.picture.data, config.picture.name);
      else { source = Filter.sample(); name = "sample.png"; spot = { x: 72, y: 48, channel: 0 }; }
    } else if (linked && source) {
      fromHash(linked);
      build();
      fields();
    }
    update();
  }
  return { open, get picture() { return shown; }, get filtered() { return filtered; } };
})();
