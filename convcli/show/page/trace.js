// The cells that one cell of a network depends on, or reaches: arithmetic/reading.py and
// arithmetic/trace.py of the package, line by line. Pure functions: no DOM, whole numbers only.
//
// A reading is [inputs, outputs, divisor, stride, offset, step, taps, before, after]; runs are
// [first, last] in order with gaps between them; a box has runs for each axis, a region is boxes.
"use strict";
const Trace = (() => {
  function mergedRuns(runs) {
    const found = [];
    for (const [first, last] of [...runs].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
      if (last < first) continue;
      const end = found[found.length - 1];
      if (end && first <= end[1] + 1) end[1] = Math.max(end[1], last);
      else found.push([first, last]);
    }
    return found;
  }

  // What one run of cells reads, inside the axis or not: cells whose multiple by the divisor is
  // stride * cell + offset + step * tap.
  function images([first, last], { divisor, stride, offset, step, taps }) {
    const between = (low, high) => [Math.ceil(low / divisor), Math.floor(high / divisor)];
    const reach = step * (taps - 1);
    const low = stride * first + offset;
    const high = stride * last + offset;
    if ((step === 1 && stride <= taps) || (stride === 1 && last - first + 1 >= step)) {
      return [between(low, high + reach)];
    }
    const found = [];
    const ends = step === 1 ? [[0, reach]] : Array.from({ length: taps }, (_, t) => [t * step, t * step]);
    const starts = stride === 1 ? [[low, high]] : Array.from({ length: last - first + 1 }, (_, i) => [low + i * stride, low + i * stride]);
    for (const [a, b] of starts) for (const [from, to] of ends) found.push(between(a + from, b + to));
    return found;
  }

  const within = (runs, size) => runs
    .filter(([first, last]) => last >= 0 && first < size)
    .map(([first, last]) => [Math.max(first, 0), Math.min(last, size - 1)]);
  const reached = (runs, relation) => mergedRuns(runs.flatMap(run => images(run, relation)));

  function inputsOf([inputs, , divisor, stride, offset, step, taps], outputs) {
    return within(reached(outputs, { divisor, stride, offset, step, taps }), inputs);
  }

  function outputsOf([, outputs, divisor, stride, offset, step, taps], inputs) {
    const back = -(offset + step * (taps - 1));
    return within(reached(inputs, { divisor: stride, stride: divisor, offset: back, step, taps }), outputs);
  }

  const length = runs => runs.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const cellsOf = box => box.reduce((count, runs) => count * length(runs), 1);
  // Runs have gaps between them, so what lies inside them lies inside one of them.
  const holds = (larger, smaller) => larger.every((outer, axis) => smaller[axis].every(
    ([first, last]) => outer.some(run => run[0] <= first && last <= run[1])));

  // The boxes that are not inside another one, and are not empty.
  function united(boxes) {
    if (boxes.length === 1) return boxes[0].every(runs => runs.length) ? boxes : [];
    const distinct = [...new Map(boxes.filter(box => box.every(runs => runs.length))
      .map(box => [JSON.stringify(box), box])).values()];
    const kept = [];
    for (const box of distinct.sort((a, b) => cellsOf(b) - cellsOf(a))) {
      if (!kept.some(larger => holds(larger, box))) kept.push(box);
    }
    return kept;
  }

  // Adds what a map's cells read to the maps that it reads; `maps` are {sizes, reads: [[map, readings]]}.
  function readBy(maps, at, regions) {
    for (const [source, readings] of maps[at].reads) {
      const boxes = regions.get(at).map(box => box.map((runs, axis) => inputsOf(readings[axis], runs)));
      regions.set(source, united([...(regions.get(source) || []), ...boxes]));
    }
  }

  const cellRegion = cell => [cell.map(at => [[at, at]])];

  // Number of the map -> its region, for every map that the cell depends on.
  function backwards(maps, start, cell) {
    const regions = new Map([[start, cellRegion(cell)]]);
    for (let at = start; at >= 0; at--) if (regions.has(at)) readBy(maps, at, regions);
    return regions;
  }

  // Number of the map -> its region, for every map that the cell reaches.
  function forwards(maps, start, cell) {
    const regions = new Map([[start, cellRegion(cell)]]);
    for (let at = start + 1; at < maps.length; at++) {
      const boxes = [];
      for (const [source, readings] of maps[at].reads) {
        for (const box of regions.get(source) || []) {
          boxes.push(box.map((runs, axis) => outputsOf(readings[axis], runs)));
        }
      }
      const region = united(boxes);
      if (region.length) regions.set(at, region);
    }
    return regions;
  }

  // What a region of one map reads of the nearest chosen maps before it.
  function sources(maps, at, region, chosen) {
    const regions = new Map([[at, region]]);
    for (let one = at; one >= 0; one--) {
      if (regions.has(one) && (one === at || !chosen.has(one))) readBy(maps, one, regions);
    }
    return [...regions].filter(([one]) => one !== at && chosen.has(one));
  }

  const along = (region, axis) => mergedRuns(region.flatMap(box => box[axis]));

  // Cells of a region; those in several boxes count once.
  function cellCount(region) {
    if (region.length < 2) return region.reduce((sum, box) => sum + cellsOf(box), 0);
    if (region[0].length === 1) return length(along(region, 0));
    const edges = [...new Set(region.flatMap(box => box[0].flatMap(([a, b]) => [a, b + 1])))].sort((a, b) => a - b);
    let count = 0;
    for (let i = 0; i + 1 < edges.length; i++) {
      const rest = region.filter(box => box[0].some(([a, b]) => a <= edges[i] && edges[i] <= b));
      count += (edges[i + 1] - edges[i]) * cellCount(rest.map(box => box.slice(1)));
    }
    return count;
  }

  return { mergedRuns, inputsOf, outputsOf, backwards, forwards, sources, along, cellCount };
})();
