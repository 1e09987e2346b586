"""Times that the choice of ``auto`` is judged by, measured where no GPU is needed.

    python benchmarks/auto.py [--cpu] [--static] [--json docs/performance/auto.json]

``--cpu`` runs four filters on 20 sizes, from 64x64 to 100 megapixels, on one thread, and decodes
and encodes PNGs of photographs; then it calibrates, as ``convcli bench --calibrate`` does, which is
all that ``auto`` will know of this machine. Of several rounds the fastest counts.
``--static`` compiles and disassembles the kernels that a GPU would run (``gpu_static.py`` says how
instructions are counted): what a sample costs there, and seconds of one thread to compile.

``tests/engine/gpu/test_auto_judged.py`` puts both into a simulation of machines that have a GPU
(``auto_simulation.py``), and asks whether ``auto`` chose what ends sooner.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from auto_cases import CALIBRATION, FILTERS, LARGEST_FLOAT64, SIZES, Filter
from report import facts

from convcli.engine.dispatch import execute
from convcli.engine.speeds import Speeds
from convcli.runs.calibrate import measure_cpu

TARGET = Path(__file__).resolve().parents[1] / "docs" / "performance" / "auto.json"
ROUNDS, BUDGET = 300, 0.4
LARGEST_CODED = 13_000_000
"""Pixels of the largest PNG that is coded; beyond, times are taken as proportional."""

ARCH = "sm_90"


def least(action: Callable[[], Any]) -> float:
    """Processor time of the fastest round, all threads together: it hardly sees other programs."""
    laps: list[float] = []
    while len(laps) < 2 or (len(laps) < ROUNDS and sum(laps) < BUDGET):
        begin = time.process_time()
        action()
        laps.append(time.process_time() - begin)
    return min(laps)


def filter_seconds(one: Filter, width: int, height: int) -> float:
    """Of ``execute`` on a picture in memory, by one thread."""
    plan = one.plan(height, width, 1)
    x = np.random.default_rng(0).integers(0, 256, plan.shape_in, np.uint8).astype(one.dtype)
    out = np.empty(plan.shape_out, plan.out_dtype)
    return least(lambda: execute(plan, x, out))


def codec_seconds(width: int, height: int) -> tuple[float, float]:
    """To decode and to encode a PNG of a photograph, on one thread."""
    from pictures import photograph
    from PIL import Image

    from convcli.imaging.formats import named
    from convcli.imaging.opening import decode_picture
    from convcli.imaging.sink import encode_picture

    file = io.BytesIO()
    Image.fromarray(photograph(width, height)).save(file, "png")
    data, png = file.getvalue(), named("PNG")
    assert png is not None

    def decode() -> Any:
        return decode_picture(data, "x.png")

    source = decode()
    encoding = least(lambda: list(encode_picture(source, png, "x.png", threads=1)))
    return least(decode), encoding


def on_cpu() -> dict[str, Any]:
    """Everything that needs a quiet machine."""
    rows: dict[str, Any] = {}
    for one in FILTERS:
        for width, height in SIZES:
            if one.dtype == "float64" and width * height > LARGEST_FLOAT64:
                continue
            found = round(filter_seconds(one, width, height), 7)
            rows.setdefault(one.name, {})[f"{width}x{height}"] = found
            print(one.name, width, height, found, flush=True)
    codecs = {}
    for width, height in SIZES:
        if width * height <= LARGEST_CODED:
            coded = codec_seconds(width, height)
            codecs[f"{width}x{height}"] = [round(s, 7) for s in coded]
    speeds = asdict(measure_cpu(Speeds(), (2000, 3000)))
    known = ("cpu", "cpu_rows")  # what threads share needs a machine of many cores: assumed
    return {
        "facts": facts(()),
        "seconds of one thread": rows,
        "seconds to decode and encode a PNG": codecs,
        "calibrated": {name: speeds[name] for name in known},
    }


def static() -> dict[str, Any]:
    """Of each filter's kernels: what a sample costs, and seconds to compile."""
    from gpu_cases import asked, launches_of
    from gpu_nvrtc import compile_kernel
    from gpu_static import Machine, of_launch

    machine, rows = Machine(), {}
    direct = [one.case._replace(options={"algorithm": "direct"}) for one in CALIBRATION]
    for one in asked([*(f.case for f in FILTERS), *direct]):
        launches = []
        for launch in one.launches:
            found = of_launch(machine, launch.source, launch.rows, ARCH)
            begin = time.process_time()
            compile_kernel(launch.source.text, launch.source.function, ARCH)
            entry = {
                "function": launch.source.function,
                "compile": round(time.process_time() - begin, 3),
            }
            if found["function"] != "frame":
                count = found["count"]
                entry |= {
                    "instructions": round(_slots(count), 2),
                    "fp64": round(count.limits.get("fp64", 0.0), 2),
                    "bytes": count.bytes,
                }
            if found["function"] == "toeplitz":
                without = launches_of(one.plan, matrices=False)[-1]
                count = of_launch(machine, without.source, without.rows, ARCH)["count"]
                entry["without matrices"] = round(_slots(count), 2)
            launches.append(entry)
        rows[one.name] = launches
    return rows


def _slots(count: Any) -> float:
    """Instructions of a sample, or those that could be issued while matrices are multiplied."""
    from gpu_sass import LANES

    lanes = LANES[ARCH]
    return max(count.walked, count.limits["matrix"] / lanes["matrix"] * lanes["issue"])


def main() -> None:
    """Measure what was asked for, and put it beside what is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--static", action="store_true")
    parser.add_argument("--json", type=Path, default=TARGET)
    options = parser.parse_args()
    found = json.loads(options.json.read_text("utf-8")) if options.json.exists() else {}
    if options.cpu:
        found["cpu"] = on_cpu()
    if options.static:
        found["gpu"] = static()
    options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
