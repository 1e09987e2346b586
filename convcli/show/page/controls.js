// Sliders with number fields for everything that a layer has, each with what is possible now.
"use strict";
const Controls = (() => {
  const { element } = Boards;
  const KINDS = { conv: "Convolution", conv_transpose: "Transposed", maxpool: "Max pooling", avgpool: "Average pooling" };
  const BORDERS = { constant: "zeros", edge: "edge: aa|abc|cc", reflect: "reflect: cb|abc|ba", symmetric: "symmetric: ba|abc|cb", wrap: "wrap: bc|abc|ab" };
  const LABELS = { n: "Size", k: "Kernel", s: "Stride", p: "Padding", d: "Dilation", op: "Output padding", in: "Input channels", out: "Output channels", groups: "Groups" };

  // What a control changes: `axis` is 0, 1, "both", or null where there are no axes; `side` of the
  // padding is 0, 1 or "both".
  function changed(state, { key, axis, side }, value) {
    if (axis === null) return { ...state, [key]: value };
    const list = state[key].map((old, a) => {
      if (axis !== "both" && a !== axis) return old;
      return key !== "p" ? value : old.map((cells, i) => (side === "both" || i === side ? value : cells));
    });
    return { ...state, [key]: list };
  }
  function valueOf(state, { key, axis, side }) {
    if (axis === null) return state[key];
    const one = state[key][axis === "both" ? 1 : axis];
    return key === "p" ? one[side === "both" ? 0 : side] : one;
  }

  // The values that are possible beside all the others, and why the next ones are not.
  function possible(state, control) {
    const [low, high] = State.HARD[control.key], now = valueOf(state, control);
    const top = Math.max(control.key === "n" && state.axes === 1 ? 32 : high, now);
    const values = [], reasons = [];
    for (let v = low; v <= top; v++) {
      const error = State.check(changed(state, control, v));
      if (!error || v === now) values.push(v); else reasons.push([v, error]);
    }
    const listed = control.key === "groups" ? reasons.slice(0, 1) : [reasons.find(([v]) => v === values[values.length - 1] + 1) ?? reasons.find(([v]) => v === values[0] - 1)];
    const why = listed.filter(Boolean).map(([v, error]) => (control.key === "groups" ? error : `not ${v}: ${error.replace(/^(rows|columns): /, "")}`)).join("; ");
    return { values, why };
  }

  // The controls that a kind of layer has.
  function wanted(state, split, uneven) {
    const pool = Layer.isPool(state), found = [];
    const sized = ["n", "k", "s", "p", "d", ...(state.kind === "conv_transpose" ? ["op"] : [])];
    for (const key of sized) {
      const axes = state.axes === 1 ? [1] : split ? [0, 1] : ["both"];
      for (const axis of axes) {
        for (const side of key !== "p" ? [null] : uneven ? [0, 1] : ["both"]) {
          const words = [key === "k" && pool ? "Window" : LABELS[key], axes.length > 1 ? ["rows", "columns"][axis] : "", uneven && key === "p" ? ["before", "after"][side] : ""];
          found.push({ key, axis, side, label: words.filter(Boolean).join(", ") });
        }
      }
    }
    const channels = pool ? ["in"] : ["in", "out", "groups"];
    return [...found, ...channels.map((key) => ({ key, axis: null, side: null, label: pool ? "Channels" : LABELS[key] }))];
  }
  const idOf = ({ key, axis, side }) => ["c", key, axis, side].filter((part) => part !== null).join("-");

  // `get()` gives the state, `set(next)` takes one and says why not; `options` are the two switches
  // that say how the controls are laid out.
  function make(host, { get, set }) {
    const options = { split: false, uneven: false };
    let structure = "", rows = [];

    function row(control) {
      const id = idOf(control);
      const number = element("input", { type: "number", id, "aria-describedby": `${id}-why`, onchange: () => typed(control, number) });
      const slider = element("input", { type: "range", "aria-label": `${control.label}, slider`, "aria-describedby": `${id}-why`, oninput: () => slid(control, slider) });
      const why = element("p", { class: "why", id: `${id}-why` });
      rows.push({ control, number, slider, why });
      return element("div", { class: "control" }, element("label", { for: id }, control.label), slider, number, why);
    }
    function slid(control, slider) {
      set(changed(get(), control, possible(get(), control).values[Number(slider.value)]));
    }
    function typed(control, number) {
      const value = Number(number.value), [low, high] = State.HARD[control.key];
      const top = control.axis === null ? high : State.MOST[1]; // sizes may go beyond their slider
      const error = !Number.isInteger(value) || number.value === "" || value < low || value > top ? `${number.value || "nothing"} is not a whole number from ${low} to ${top}` : set(changed(get(), control, value));
      refresh();
      if (error) rows.find((r) => idOf(r.control) === idOf(control)).why.textContent = error;
    }
    const check = (name, label, value, act) => element("label", { class: "check" }, element("input", { type: "checkbox", name, checked: value, onchange: (e) => act(e.target.checked) }), label);

    function build(state) {
      rows = [];
      const kinds = Object.entries(KINDS).map(([kind, label]) => element("label", { class: "pill" },
        element("input", { type: "radio", name: "kind", value: kind, checked: kind === state.kind, onchange: () => choose({ kind }) }), element("span", {}, label)));
      const axes = [[1, "1-D"], [2, "2-D"]].map(([count, label]) => element("label", { class: "pill" },
        element("input", { type: "radio", name: "axes", value: count, checked: count === state.axes, onchange: () => choose({ axes: count }) }), element("span", {}, label)));
      const switches = [];
      if (state.axes === 2) switches.push(check("split", "Each axis for itself", options.split, (on) => relay("split", on)));
      switches.push(check("uneven", "Padding before and after differ", options.uneven, (on) => relay("uneven", on)));
      if (Layer.isPool(state)) switches.push(check("ceil", "Ceil mode: the last window may hang over", state.ceil, (on) => choose({ ceil: on })));
      if (state.kind === "conv") switches.push(check("flip", "Flip the kernel, as in mathematics", state.flip, (on) => choose({ flip: on })));
      if (!Layer.isPool(state)) switches.push(check("bias", "Bias", state.bias.length > 0, (on) => choose({ bias: on ? State.filled(state, "bias", "random") : [] })));
      const border = state.kind !== "conv" ? null : element("div", { class: "control select" }, element("label", { for: "border" }, "Border"),
        element("select", { id: "border", onchange: (e) => choose({ border: e.target.value }) }, ...Object.entries(BORDERS).map(([name, text]) => element("option", { value: name, selected: name === state.border }, text))));
      host.replaceChildren(
        element("fieldset", { class: "pills" }, element("legend", { class: "hidden" }, "Layer"), ...kinds),
        element("fieldset", { class: "pills" }, element("legend", { class: "hidden" }, "Axes"), ...axes),
        ...wanted(state, options.split && state.axes === 2, options.uneven).map(row), ...(border ? [border] : []), element("div", { class: "checks" }, ...switches),
        element("p", { class: "why", role: "status", id: "refused" }));
    }
    function choose(patch) {
      const error = set({ ...get(), ...patch });
      refresh(true);
      document.getElementById("refused").textContent = error ? `${Object.values(patch)[0]}: ${error}` : "";
    }
    // Laying the axes out together again makes them equal.
    function relay(name, on) {
      let next = get();
      if (!on && name === "split") next = { ...next, ...Object.fromEntries(["n", "k", "s", "d", "op", "p"].map((key) => [key, [next[key][1], next[key][1]]])) };
      if (!on && name === "uneven") next = { ...next, p: next.p.map(([before]) => [before, before]) };
      const error = set(next);
      if (!error) options[name] = on;
      refresh(true);
      document.querySelector(`input[name=${name}]`).focus();
      document.getElementById("refused").textContent = error;
    }

    function refresh(anew = false) {
      const state = get();
      // What differs, by a link or a preset as well, has controls of its own.
      options.split ||= state.axes === 2 && ["n", "k", "s", "d", "op", "p"].some((key) => String(state[key][0]) !== String(state[key][1]));
      options.uneven ||= state.p.slice(-state.axes).some(([before, after]) => before !== after);
      const next = [state.kind, state.axes, options.split, options.uneven].join();
      const focused = document.activeElement?.name && host.contains(document.activeElement) ? [document.activeElement.name, document.activeElement.value] : null;
      if (next !== structure || anew) {
        structure = next;
        build(state);
        if (focused) [...host.querySelectorAll("input")].find((i) => i.name === focused[0] && i.value === focused[1])?.focus();
      }
      for (const { control, number, slider, why } of rows) {
        const { values, why: reason } = possible(state, control), now = valueOf(state, control);
        number.min = values[0];
        number.max = values[values.length - 1];
        number.value = now;
        slider.min = 0;
        slider.max = values.length - 1;
        slider.value = values.indexOf(now);
        slider.disabled = values.length === 1;
        slider.setAttribute("aria-valuetext", String(now));
        why.textContent = reason;
      }
    }
    refresh();
    return { refresh };
  }
  return { make, possible, changed };
})();
