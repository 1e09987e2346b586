"""What kernels of the GPU look like before they have run: registers, spills, size, instructions.

    python benchmarks/gpu_static.py [--only PATTERN] [--arch sm_90 ...] [--before REVISION|FILE]
                                    [--write docs/gpu.md] [--json FILE]

Needs no GPU: ``pip install -e '.[test]' nvidia-cuda-nvdisasm``. Every kernel that presets, options,
``gpu.py`` and the tests can ask for (``gpu_cases.py``) is compiled by NVRTC with CuPy's flags for
compute capability 9.0, those that ``gpu.py`` times and the tests compile for 8.0 and 10.0 too, and
disassembled. How instructions a sample are counted says ``gpu_sass.py``; what kernels cannot say of
themselves stands in ``gpu_kinds.py``; how a ceiling follows, in ``gpu_ceilings.py``. A ceiling is
the least of what issue slots, each pipe and the memory allow, as a share of a copy of the picture:
latency, launches, borders and rows that are read twice are not in it, so it is computed, not
measured, and will not be reached.

What was compiled is kept in a temporary folder under the source's key, so a run that was stopped
goes on. ``--before`` puts the figures of an older revision, or of a file of an earlier run, beside.
``--write`` puts the table between the marks ``gpu-static``, and all figures beside the document, in
``performance/gpu-static.json``.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from gpu_cases import BENCHMARKED, CASES, TEST_CASES, Asked, Case, asked
from gpu_ceilings import CARDS, Count, as_dict, ceiling, count_of, occupancy
from gpu_nvrtc import ARCHS, CUPY_OPTIONS, compile_kernel, nvrtc
from gpu_sass import Instruction, disassembled, nvdisasm
from report import table, write_json, write_section

from convcli.engine.gpu.kernel_source import OPTIONS

ROOT = Path(__file__).resolve().parents[1]
KEPT = Path(tempfile.gettempdir()) / f"convcli-gpu-static-{os.getuid()}"
MAIN = "sm_90"
MOST_BYTES = 96 << 10
SHOWN = [c.name for c in BENCHMARKED]
TYPE = {"uint8": 1, "uint16": 2, "float32": 4, "float64": 8}


class Machine:
    """Compiles and disassembles, and keeps both."""

    def __init__(self) -> None:
        if nvrtc() is None or not nvdisasm():
            sys.exit("needs NVRTC and nvdisasm: pip install nvidia-cuda-nvrtc nvidia-cuda-nvdisasm")
        KEPT.mkdir(exist_ok=True)
        tools = (nvrtc()._name, nvdisasm(), *OPTIONS, *CUPY_OPTIONS)
        self.salt = hashlib.sha256(repr(tools).encode()).hexdigest()[:8]

    def figures(self, source: Any, arch: str) -> dict[str, Any]:
        """Of a source, from the folder if they are there."""
        path = KEPT / f"{source.key}-{arch}-{self.salt}.json.gz"
        if path.exists():
            return dict(json.loads(gzip.decompress(path.read_bytes())))
        made = compile_kernel(source.text, source.function, arch)
        code = disassembled(made.cubin, source.function)
        found = made._asdict() | {"cubin": len(made.cubin), "code": code}
        part = path.with_suffix(f".{time.time_ns()}")
        part.write_bytes(gzip.compress(json.dumps(found).encode(), 5))
        part.replace(path)
        return found


def of_launch(machine: Machine, source: Any, rows: int, arch: str) -> dict[str, Any]:
    """One line of figures, with the counts under ``count``."""
    found = machine.figures(source, arch)
    code = [Instruction(*one) for one in found.pop("code")]
    return {
        "function": source.function,
        "arch": arch,
        **{k: found[k] for k in ("registers", "spilled", "stack", "shared", "cubin", "seconds")},
        "occupancy": occupancy(found["registers"], found["shared"], arch),
        "count": count_of(code, source.text, source.function, rows),
    }


def measured(cases: Iterable[Asked], archs: tuple[str, ...], few: set[str]) -> dict[str, Any]:
    """Figures of all launches of all cases: by label, by architecture."""
    machine, cases = Machine(), list(cases)
    jobs = {
        (launch.source.key, arch): (launch, arch)
        for arch in archs
        for one in cases
        if arch == MAIN or one.name in few
        for launch in one.launches
    }
    begin = time.monotonic()
    done: dict[tuple[str, str], dict[str, Any]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = pool.map(
            lambda job: of_launch(machine, job[0].source, job[0].rows, job[1]), jobs.values()
        )
        for number, (key, figures) in enumerate(zip(jobs, made, strict=True), 1):
            done[key] = figures
            if sys.stderr.isatty() or number % 50 == 0:
                print(
                    f"\r{number} of {len(jobs)} kernels, {time.monotonic() - begin:.0f} s",
                    end="",
                    file=sys.stderr,
                )
    print(file=sys.stderr)
    rows: dict[str, Any] = {}
    for one in cases:
        for arch in archs:
            found = [done.get((launch.source.key, arch)) for launch in one.launches]
            if None not in found:
                rows.setdefault(one.label, {})[arch] = of_filter(one, found, arch)
    return rows


def of_filter(one: Asked, launches: list[Any], arch: str) -> dict[str, Any]:
    """The launches of a filter together: sums of what they do, the most of what they take."""
    counts: list[Count | None] = [each["count"] for each in launches if _makes(each)]
    step = one.plan.steps[0]
    out = TYPE[step.requantize.out_dtype]
    ratio = _size(one.plan.shape_in) / _size(one.plan.shape_out)
    ideal = TYPE[one.dtype] * ratio + out
    found: dict[str, Any] = {
        "kernels": "+".join(each["function"] for each in launches),
        "registers": max(each["registers"] for each in launches),
        "spilled": sum(each["spilled"] for each in launches),
        "stack": max(each["stack"] for each in launches),
        "shared": max(each["shared"] for each in launches),
        "cubin": max(each["cubin"] for each in launches),
        "seconds": sum(each["seconds"] for each in launches),
        "occupancy": min(each["occupancy"] for each in launches),
        "ideal": ideal,
    }
    if counts and None not in counts:
        known = [c for c in counts if c is not None]
        card = next(c for c in CARDS.values() if c.arch == arch)
        top = ceiling(known, ideal, card)
        for name in ("instructions", "adds", "converted", "walked", "bytes"):
            found[name] = sum(getattr(c, name) for c in known)
        found |= {
            "ceiling": top.share,
            "computing": top.computing,
            "bound": top.bound,
            "passes": [as_dict(c) for c in known],
        }
    return found


def _makes(launch: dict[str, Any]) -> bool:
    """Whether it makes samples of the picture; margins are so few that they do not count."""
    return launch["function"] != "frame"


def _size(shape: tuple[int, ...]) -> int:
    return shape[0] * shape[1] * shape[2]


def of_revision(revision: str, options: Any) -> dict[str, Any]:
    """The figures of another revision of the package, counted by these scripts."""
    if Path(revision).is_file():
        return dict(json.loads(Path(revision).read_text("utf-8"))["rows"])
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            ["git", "archive", revision, "convcli"], cwd=ROOT, stdout=subprocess.PIPE, check=True
        )
        subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)
        target = Path(folder, "figures.json")
        only = ["--only", options.only] if options.only else []
        subprocess.run(
            [sys.executable, __file__, *only, "--arch", *options.arch, "--json", str(target)],
            env={**os.environ, "PYTHONPATH": folder},
            check=True,
        )
        return dict(json.loads(target.read_text("utf-8"))["rows"])


def summary(rows: dict[str, Any], before: dict[str, Any]) -> str:
    """The table of the rows that are shown, and a line on all of them."""
    lines = []
    for label, by_arch in rows.items():
        new = by_arch.get(MAIN, {})
        if not new or label.rpartition(" ")[0].rpartition(" ")[0] not in SHOWN:
            continue
        old = before.get(label, {}).get(MAIN, {})
        cells = [label, new["kernels"]]
        for name, digits in (
            ("registers", 0),
            ("instructions", 1),
            ("adds", 1),
            ("bytes", 1),
            ("ceiling", 2),
            ("computing", 2),
        ):
            cells.append(_change(old.get(name), new.get(name), digits, bool(before)))
        lines.append([*cells, new.get("bound", ""), f"{new['occupancy']:.0%}"])
    head = (
        "filter, kernels, registers, instructions a sample, multiply-adds among them, "
        "bytes a sample, ceiling as a share of copy, of computing alone, bound by, occupancy"
    )
    return f"{worst(rows)}\n\n{table(head, lines)}"


def _change(old: float | None, new: float | None, digits: int, both: bool) -> str:
    """One figure, or two with an arrow."""
    now = "?" if new is None else f"{new:.{digits}f}"
    if not both:
        return now
    then = "?" if old is None else f"{old:.{digits}f}"
    return now if then == now else f"{then} → {now}"


def worst(rows: dict[str, Any]) -> str:
    """Spills, registers, size and time of all kernels in a sentence."""
    every = [(label, arch, row) for label, by_arch in rows.items() for arch, row in by_arch.items()]
    spilling = [label for label, _, row in every if row["spilled"]]
    said = [f"{len(every)} filters by architecture; {len(spilling) or 'none'} of them spill"]
    for name, unit in (
        ("registers", "registers"),
        ("cubin", "bytes of cubin"),
        ("seconds", "s to compile"),
    ):
        label, arch, row = max(every, key=lambda one: one[2][name])
        said.append(f"the most {unit} {row[name]:.4g} ({label}, {arch})")
    unknown = sum("ceiling" not in row for _, _, row in every)
    return (
        "; ".join(said)
        + f"; {unknown or 'none'} not counted."
        + (f" They that spill: {', '.join(dict.fromkeys(spilling))}." if spilling else "")
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="filters whose name matches, such as 'gaussian*'")
    parser.add_argument("--arch", nargs="+", default=list(ARCHS), help="sm_80, sm_90, sm_100")
    parser.add_argument("--before", help="a revision, or the JSON file of an earlier run")
    parser.add_argument("--write", type=Path, help="the document to put the table into")
    parser.add_argument("--json", type=Path, help="where to put all figures")
    options = parser.parse_args()
    cases: list[Case] = [c for c in CASES if fnmatch(c.name, options.only or "*")]
    few = {c.name for c in (*BENCHMARKED, *TEST_CASES)}
    rows = measured(asked(cases), tuple(options.arch), few)
    before = of_revision(options.before, options) if options.before else {}
    text = summary(rows, before)
    data = {"cards": {n: c._asdict() for n, c in CARDS.items()}, "rows": rows}
    if before:
        data["before"] = before
    print(text)
    if options.json:
        write_json(options.json, data)
    if options.write:
        write_section(options.write, "gpu-static", text, data)


if __name__ == "__main__":
    main()
