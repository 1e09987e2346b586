// Play, pause, step, back and speed: which output is shown, in which order.
"use strict";
const Player = (() => {
  const { element } = Boards;
  const SPEEDS = [0.5, 1, 2, 3, 5, 8, 12, 20]; // steps in a second

  // `count()` outputs, `go(step)` shows one; `busy(playing)` is told when it starts and stops.
  function make(host, { count, go, busy, fps }) {
    let step = 0, speed = SPEEDS.findIndex((s) => s >= fps), timer = 0;
    if (speed < 0) speed = SPEEDS.length - 1;
    const button = (label, text, act) => element("button", { type: "button", "aria-label": label, onclick: act }, text);
    const play = button("Play", "▶ Play", () => toggle());
    const place = element("output", { class: "mono" });
    const slider = element("input", { type: "range", id: "speed", min: 0, max: SPEEDS.length - 1, oninput: () => setSpeed(Number(slider.value)) });
    host.append(
      button("First output", "First", () => { stop(); show(0); }), button("Back", "‹ Back", () => { stop(); move(-1); }), play,
      button("Step", "Step ›", () => { stop(); move(1); }), place,
      element("label", { class: "speed", for: "speed" }, "Speed", slider));

    function show(to) {
      step = Math.max(0, Math.min(count() - 1, to));
      place.textContent = `${step + 1} / ${count()}`;
      go(step);
    }
    const move = (by) => show((step + by + count()) % count());
    function setSpeed(index) {
      speed = Math.max(0, Math.min(SPEEDS.length - 1, index));
      slider.value = speed;
      slider.setAttribute("aria-valuetext", `${SPEEDS[speed]} steps a second`);
      if (timer) { clearInterval(timer); timer = setInterval(tick, 1000 / SPEEDS[speed]); }
    }
    function tick() {
      if (step + 1 >= count()) stop(); else move(1);
    }
    function toggle() {
      if (timer) return stop();
      if (step + 1 >= count()) show(0);
      timer = setInterval(tick, 1000 / SPEEDS[speed]);
      label(true);
    }
    function stop() {
      clearInterval(timer);
      timer = 0;
      label(false);
    }
    function label(playing) {
      play.textContent = playing ? "❚❚ Pause" : "▶ Play";
      play.setAttribute("aria-label", playing ? "Pause" : "Play");
      busy(playing);
    }
    setSpeed(speed);
    return { show, move, toggle, stop, faster: (by) => setSpeed(speed + by), get step() { return step; }, get playing() { return timer !== 0; } };
  }
  return { make };
})();
