// The page of a layer: the state, what is pointed at, and what the keys and pointers do with it.
"use strict";
const Explore = (() => {
  const { element } = Boards;
  const TITLES = { conv: "Convolution", conv_transpose: "Transposed convolution", maxpool: "Max pooling", avgpool: "Average pooling" };
  const $ = (id) => document.getElementById(id);
  const config = JSON.parse($("state").textContent);
  const linked = location.hash; // what the address says when the page opens
  let state, layer, texts, results, view, player, controls, hovered = null, kept = null, seed = 1, chosen = "";

  // ---- the state -----------------------------------------------------------------------------

  // Take a state if it can be; else say why not, in one line, and stay as it is.
  function set(next) {
    const error = State.check(next);
    if (error) return error;
    state = State.withNumbers(state ?? next, next);
    render();
    return "";
  }
  function parsed(key) {
    return state[key].map(Arithmetic.parse);
  }
  function render() {
    layer = Layer.resolve(state);
    texts = { x: state.x, w: state.w, bias: state.bias };
    Arithmetic.writeFractions([...state.x, ...(layer.pool ? [] : [...state.w, ...state.bias])].some((text) => text.includes("/")));
    results = Layer.compute(layer, parsed("x"), layer.pool ? [] : parsed("w"), layer.pool ? [] : parsed("bias"));
    kept = kept && kept.o < layer.out && kept.place < layer.places ? kept : { board: "y", o: 0, place: 0 };
    hovered = null;
    $("formula").style.minHeight = "";
    draw();
    Formula.sizes($("sizes"), layer);
    $("command").replaceChildren(...Command.lines(state, layer).map((line) => element("div", {}, line)));
    document.querySelector("h1").textContent = document.title = TITLES[state.kind];
    try { history.replaceState(null, "", "#" + State.toHash(state)); } catch { /* a page within a page has no address */ }
    controls?.refresh();
    tools();
    player?.show(stepOf(kept));
  }
  function draw() {
    const focused = cellAt(document.activeElement), key = focused?.closest(".grid").board.key;
    view = Boards.render($("boards"), layer, texts, results, kept.o, notes());
    light();
    if (focused && !focused.isConnected) { // boards of another size: the cell at the same place, or the last
      const cells = (gridOf(key) ?? document.querySelector("#boards .grid")).querySelectorAll(".cell");
      rove(cells[Math.min(focused.place, cells.length - 1)]);
    }
  }
  function notes() {
    const padded = layer.windows.some((w) => w.before || w.after);
    return {
      input: layer.transposed ? (layer.windows.some((w) => w.stride > 1) ? "with zeros inserted" : "") : padded ? "with padding" : "",
      kernel: layer.flip || layer.transposed ? "as given; it lies turned round" : "",
      share: layer.perGroup > 1 && layer.out > 1 ? `of each channel in output channel ${kept.o}` : layer.perGroup > 1 ? "of each channel" : "",
      output: layer.perGroup > 1 ? `the sum of the shares${state.bias.length ? " and the bias" : ""}` : "",
    };
  }
  function light() {
    const target = hovered ?? kept;
    Boards.light(view, layer, texts, target);
    Formula.show($("formula"), layer, texts, results, target);
  }
  const stepOf = (t) => t.o * layer.places + t.place;

  // ---- pointing ------------------------------------------------------------------------------

  const cellAt = (node) => node?.closest?.(".cell") ?? null;
  function point(made) {
    const target = made && made.cell.target.board !== "pad" ? made.cell.target : null;
    if (target === hovered) return;
    hovered = target;
    light();
  }
  function keep(target) {
    const changed = kept.o !== target.o;
    kept = { board: "y", o: target.o, place: target.place };
    hovered = null;
    if (changed && layer.perGroup > 1) draw(); else light();
  }
  function chose(made) {
    if (made.cell.target.board === "y") player.show(stepOf(made.cell.target));
  }

  function pointers(host) {
    let dragging = false;
    host.addEventListener("pointerover", (e) => { if (e.pointerType === "mouse") point(cellAt(e.target)); });
    host.addEventListener("pointerleave", (e) => { if (e.pointerType === "mouse") point(null); });
    host.addEventListener("pointerdown", (e) => {
      const made = cellAt(e.target);
      if (!made || e.pointerType === "mouse") return;
      dragging = true;
      host.again = made.classList.contains("target");
      if (e.target.hasPointerCapture(e.pointerId)) e.target.releasePointerCapture(e.pointerId);
      point(made);
      chose(made);
    });
    host.addEventListener("pointermove", (e) => {
      if (dragging) { const made = cellAt(document.elementFromPoint(e.clientX, e.clientY)); if (made) { point(made); chose(made); } }
    });
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { dragging = false; });
    host.addEventListener("click", (e) => {
      const made = cellAt(e.target);
      if (!made) return;
      player.stop();
      if (made.cell.target.board === "y") { chose(made); focusOutput(); return; }
      if (made.cell.edit && (e.pointerType !== "touch" || host.again)) edit(made);
    });
    host.addEventListener("focusin", (e) => {
      const made = cellAt(e.target);
      if (!made || !made.matches(":focus-visible")) return;
      if (made.cell.target.board === "y") chose(made); else point(made);
    });
    host.addEventListener("focusout", (e) => { if (!host.contains(e.relatedTarget)) point(null); });
  }
  function focusOutput() {
    const made = view.index.get(`y${kept.o}:${kept.place}`)?.element;
    if (made) rove(made);
  }
  // One cell of each board can be reached by Tab; arrows move from there.
  function rove(made) {
    for (const other of made.closest(".grid").querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    made.tabIndex = 0;
    made.focus({ preventScroll: false });
  }

  // ---- editing -------------------------------------------------------------------------------

  function edit(made, typed = null) {
    document.querySelector(".editor")?.remove();
    const [key, index] = made.cell.edit, box = made.getBoundingClientRect();
    const field = element("input", { type: "text", class: "editor", value: typed ?? state[key][index], "aria-label": made.getAttribute("aria-label"), autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
    field.style.left = `${Math.min(box.left, document.documentElement.clientWidth - 100) + scrollX}px`;
    field.style.top = `${box.top + scrollY + (box.height - 40) / 2}px`;
    const place = [made.closest(".grid").board.key, made.place];
    let done = false;
    const finish = (back) => {
      done = true;
      field.remove();
      $("problem").textContent = "";
      if (back) rove(gridOf(place[0]).querySelectorAll(".cell")[place[1]]);
    };
    const commit = (back) => {
      if (done) return;
      try { Arithmetic.parse(field.value); } catch (error) {
        field.setAttribute("aria-invalid", "true");
        $("problem").textContent = error.message;
        return;
      }
      done = true;
      const text = field.value.trim();
      if (text !== state[key][index]) {
        state = { ...state, [key]: state[key].map((old, i) => (i === index ? text : old)) };
        render();
      }
      finish(back);
    };
    field.addEventListener("keydown", (e) => {
      e.stopPropagation();
      if (e.key === "Enter") commit(true);
      if (e.key === "Escape") finish(true);
      if (e.key === "Tab") { e.preventDefault(); commit(true); }
    });
    field.addEventListener("blur", () => { try { Arithmetic.parse(field.value); commit(false); } catch { if (!done) finish(false); } });
    document.body.append(field);
    field.focus();
    if (typed === null) field.select();
  }
  const gridOf = (key) => [...document.querySelectorAll("#boards .grid")].find((grid) => grid.board.key === key);

  function fill(how, keys = ["x", "w", "bias"]) {
    seed += 1;
    const wanted = keys.filter((key) => (key !== "bias" || state.bias.length) && (key !== "w" || !layer.pool));
    state = { ...state, ...Object.fromEntries(wanted.map((key) => [key, State.filled(state, key, how, seed)])) };
    render();
  }
  const weightsOf = ({ planes: [rows], scale }) => rows.flat().map((v) => Arithmetic.exact(Arithmetic.mul(Arithmetic.parse(v), Arithmetic.parse(scale))));
  // The preset that was chosen, as long as its weights are there: arrow keys go on from it.
  function presetShown() {
    const found = config.presets.find((p) => p.name === chosen), flat = found ? weightsOf(found) : [];
    const there = found && layer.kernel.join() === [found.planes[0].length, found.planes[0][0].length].join();
    return there && state.w.every((text, i) => text === flat[i % flat.length]) ? chosen : "";
  }
  function preset(name) {
    const found = config.presets.find((p) => p.name === name);
    if (!found) return;
    const rows = found.planes[0], flat = weightsOf(found);
    const next = { ...state, axes: 2, k: [rows.length, rows[0].length] };
    const error = State.check(next);
    $("problem").textContent = error ? `${name}: ${error}` : "";
    if (error) { tools(); return; }
    const sized = State.withNumbers(state, next);
    const count = Layer.counts(sized).w;
    chosen = name;
    state = { ...sized, w: Array.from({ length: count }, (_, i) => flat[i % flat.length]) };
    render();
  }

  let toolsFor = "";
  function tools() {
    const wanted = layer.pool ? "pool" : "kernel";
    if (wanted === toolsFor) { const select = $("preset"); if (select) select.value = presetShown(); return; }
    toolsFor = wanted;
    const button = (text, act) => element("button", { type: "button", onclick: act }, text);
    const choices = layer.pool ? [] : [element("label", { for: "preset" }, "Kernel"), element("select", { id: "preset", onchange: (e) => preset(e.target.value) }, element("option", { value: "" }, "choose…"), ...config.presets.filter((p) => p.planes.length === 1).map((p) => element("option", { value: p.name }, p.name)))];
    $("tools").replaceChildren(...choices, button("Randomise", () => fill("random")), button("Letters", () => fill("letters")), button("Count up", () => fill("ramp", ["x"])), button("Ones", () => fill("ones", ["x"])), button("Reset", reset));
  }
  function reset() {
    state = structuredClone(config.layer);
    begin(state);
    kept = null;
    render();
  }

  // ---- keys ----------------------------------------------------------------------------------

  const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  function keys(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || $("numbers").hidden) return;
    const made = cellAt(e.target), field = e.target.closest("input, select, textarea, button, summary, pre, [role=tab]");
    if (ARROWS[e.key] && made) { arrow(made, e); return; }
    if (field) { if ("+-".includes(e.key) && !e.target.closest("input")) player.faster(e.key === "+" ? 1 : -1); return; }
    if (e.key === " ") { e.preventDefault(); player.toggle(); } else if (e.key === "+" || e.key === "=") { if (!made?.cell.edit) player.faster(1); } else if (e.key === "-" && !made?.cell.edit) player.faster(-1);
    else if (ARROWS[e.key]) { e.preventDefault(); player.stop(); over(ARROWS[e.key]); } else if (e.key === "Home" || e.key === "End") { e.preventDefault(); player.stop(); player.show(e.key === "Home" ? 0 : layer.out * layer.places - 1); }
    if (made?.cell.edit && (e.key === "Enter" || e.key === "F2")) { e.preventDefault(); player.stop(); edit(made); } else if (made?.cell.edit && /^[\p{L}\p{N}.\-−]$/u.test(e.key)) { e.preventDefault(); player.stop(); edit(made, e.key); }
  }
  function arrow(made, e) {
    e.preventDefault();
    player.stop();
    const { board } = made.closest(".grid"), [down, right] = ARROWS[e.key];
    const row = Math.floor(made.place / board.columns) + down, column = (made.place % board.columns) + right;
    if (row < 0 || row >= board.rows || column < 0 || column >= board.columns) return;
    rove(made.closest(".grid").querySelectorAll(".cell")[row * board.columns + column]);
  }
  function over([down, right]) {
    const [rows, columns] = layer.output, row = Math.floor(kept.place / columns) + down, column = (kept.place % columns) + right;
    if (row >= 0 && row < rows && column >= 0 && column < columns) player.show(kept.o * layer.places + row * columns + column);
  }

  // ---- the page ------------------------------------------------------------------------------

  function begin(ground) {
    for (const key of ["x", "w"]) if (!ground[key].length) ground[key] = State.filled(ground, key, "random");
  }
  async function copy(text) {
    try { await navigator.clipboard.writeText(text); $("copied").textContent = "copied"; } catch { $("copied").textContent = "select the text and copy it by hand"; }
    setTimeout(() => { $("copied").textContent = ""; }, 3000);
  }
  const list = [$("tab-numbers"), $("tab-picture")];
  function select(tab, address) {
    for (const other of list) {
      const on = other === tab;
      other.setAttribute("aria-selected", on);
      other.tabIndex = on ? 0 : -1;
      $(other.getAttribute("aria-controls")).hidden = !on;
    }
    player.stop();
    if (tab === list[1]) Picture.open($("picture"), config, address); else render();
  }
  // An address that was pasted, or gone back to: what it says is shown, in the view that it is of.
  function follow() {
    const found = State.fromHash(location.hash, state), address = location.hash;
    if (found) [state, kept] = [found, null];
    if (found) select(list[0]);
    else if (address.includes("view=picture")) select(list[1], address);
    else select(list.find((tab) => tab.getAttribute("aria-selected") === "true"));
  }
  function tabs() {
    for (const tab of list) {
      tab.addEventListener("click", () => select(tab));
      tab.addEventListener("keydown", (e) => { if (e.key === "ArrowLeft" || e.key === "ArrowRight") { const other = list[1 - list.indexOf(tab)]; select(other); other.focus(); } });
    }
    if (linked.includes("view=picture") || (config.picture && !State.fromHash(linked, config.layer))) select(list[1], linked);
  }
  function start() {
    begin(config.layer);
    const found = State.fromHash(linked, config.layer);
    state = found ?? structuredClone(config.layer);
    layer = Layer.resolve(state);
    const step = found ? 0 : Math.min(config.step, layer.out * layer.places - 1);
    kept = { board: "y", o: Math.floor(step / layer.places), place: step % layer.places };
    player = Player.make($("player"), {
      fps: config.fps,
      count: () => layer.out * layer.places,
      go: (step) => view && keep({ o: Math.floor(step / layer.places), place: step % layer.places }),
      busy: (playing) => $("formula").setAttribute("aria-live", playing ? "off" : "polite"),
    });
    controls = Controls.make($("controls"), { get: () => state, set });
    render();
    pointers($("boards"));
    addEventListener("keydown", keys);
    addEventListener("hashchange", follow);
    let width = innerWidth;
    addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; draw(); } });
    $("copy").addEventListener("click", () => copy(Command.lines(state, layer).join("\n")));
    $("share").addEventListener("click", () => copy(location.href));
    tabs();
  }
  start();

  return { set, get state() { return state; }, get results() { return results; }, get layer() { return layer; } };
})();
