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
``--write`` puts the table between the marks ``gpu-static``, and all figures into
``docs/performance/gpu-static.json``.
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

from gpu_cases import BENCHMARKED, CASES, TEST_CASES, Asked, Case, asked, depthwise
from gpu_ceilings import CARDS, Count, ceiling, count_of, occupancy
from gpu_nvrtc import ARCHS, CUPY_OPTIONS, compile_kernel, nvrtc, nvrtc_version
from gpu_sass import Instruction, disassembled, nvdisasm
from report import beside, kept, put_text, table, write_json

from convcli.engine.gpu.kernel_source import OPTIONS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
KEPT = Path(tempfile.gettempdir()) / f"convcli-gpu-static-{os.getuid()}"
MAIN = "sm_90"
FIGURES = (
    ("registers", 0), ("instructions", 1), ("adds", 1), ("bytes", 1), ("computing", 2), ("launched", 2)
)  # fmt: skip
SHOWN = [c.name for c in BENCHMARKED]
COLUMNS = (
    *("kernels", "registers", "spilled", "stack", "shared", "cubin", "seconds", "occupancy"),
    *("ideal", "bytes", "instructions", "adds", "converted", "walked"),
    *("ceiling", "computing", "bound", "launched"),
)
Rows = dict[str, dict[str, dict[str, Any]]]
"""Figures by label and architecture."""

TYPE = {"uint8": 1, "uint16": 2, "float32": 4, "float64": 8}


class Machine:
    """Compiles and disassembles, and keeps both."""

    def __init__(self) -> None:
        if nvrtc() is None or not nvdisasm():
            sys.exit("needs NVRTC and nvdisasm: pip install nvidia-cuda-nvrtc nvidia-cuda-nvdisasm")
        KEPT.mkdir(exist_ok=True)
        tools = (nvrtc_version(), *OPTIONS, *CUPY_OPTIONS)
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


def measured(cases: Iterable[Asked], archs: tuple[str, ...], few: set[str]) -> Rows:
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
    rows: Rows = {}
    for one in cases:
        for arch in archs:
            found = [done.get((launch.source.key, arch)) for launch in one.launches]
            if None not in found:
                rows.setdefault(one.label, {})[arch] = of_filter(one, found, arch)
    return rows


def of_filter(one: Asked, launches: list[Any], arch: str) -> dict[str, Any]:
    """The launches of a filter together: sums of what they do, the most of what they take."""
    counts: list[Count | None] = [each["count"] for each in launches if _makes(each)]
    found: dict[str, Any] = {
        "kernels": "+".join(each["function"] for each in launches),
        "registers": max(each["registers"] for each in launches),
        "spilled": sum(each["spilled"] for each in launches),
        "stack": max(each["stack"] for each in launches),
        "shared": max(each["shared"] for each in launches),
        "cubin": max(each["cubin"] for each in launches),
        "seconds": sum(each["seconds"] for each in launches),
        "occupancy": min(each["occupancy"] for each in launches),
    }
    if one.plan and counts and None not in counts:
        out = TYPE[one.plan.steps[0].requantize.out_dtype]
        ratio = _size(one.plan.shape_in) / _size(one.plan.shape_out)
        ideal = found["ideal"] = TYPE[one.dtype] * ratio + out
        known = [c for c in counts if c is not None]
        card = next(c for c in CARDS.values() if c.arch == arch)
        top, launched = (ceiling(known, ideal, card, walking) for walking in (False, True))
        for name in ("instructions", "adds", "converted", "walked", "bytes"):
            found[name] = sum(getattr(c, name) for c in known)
        found |= {"ceiling": top.share, "computing": top.computing, "bound": top.bound}
        found["launched"] = launched.computing
    return found


def _makes(launch: dict[str, Any]) -> bool:
    """Whether it makes samples of the picture; margins are so few that they do not count."""
    return launch["function"] != "frame"


def _size(shape: tuple[int, ...]) -> int:
    return shape[0] * shape[1] * shape[2]


def of_revision(revision: str, options: Any) -> Rows:
    """The figures of another revision of the package, counted by these scripts, or of a file."""
    if Path(revision).is_file():
        return unpacked(json.loads(Path(revision).read_text("utf-8")))
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", revision, "convcli"], cwd=ROOT, stdout=subprocess.PIPE, check=True
        )
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        target = Path(folder, "figures.json")
        only = ["--only", options.only] if options.only else []
        subprocess.run(
            [sys.executable, __file__, *only, "--arch", *options.arch, "--json", str(target)],
            env={**os.environ, "PYTHONPATH": folder},
            check=True,
        )
        return unpacked(json.loads(target.read_text("utf-8")))


def earlier() -> Rows:
    """What stands beside the figures already, to be kept there."""
    return unpacked(kept(PAGE, "gpu-static").get("before", {"rows": {}}))


def packed(rows: Rows) -> dict[str, Any]:
    """Rows as lists, with the names of their columns once."""
    every = {f"{label} {arch}": row for label, by in rows.items() for arch, row in by.items()}
    return {
        "columns": list(COLUMNS),
        "rows": {k: [r.get(c) for c in COLUMNS] for k, r in every.items()},
    }


def unpacked(data: dict[str, Any]) -> Rows:
    """The rows of a file, as they were before they were packed."""
    rows: Rows = {}
    for key, values in data["rows"].items():
        label, arch = key.rsplit(" ", 1)
        made = {c: v for c, v in zip(data["columns"], values, strict=True) if v is not None}
        rows.setdefault(label, {})[arch] = made
    return rows


def summary(rows: Rows, before: Rows) -> str:
    """The table of what is benchmarked, 8 bits, and a line on all kernels."""
    lines = []
    for label, by_arch in rows.items():
        new = by_arch.get(MAIN, {})
        if not new or label.rsplit(" ", 2)[0] not in SHOWN or " u8 " not in label:
            continue
        old = before.get(label, {}).get(MAIN, {})
        cells = [label.replace(" u8", ""), new["kernels"].replace("frame+", "")]
        for name, digits in FIGURES:
            cells.append(_change(old.get(name), new.get(name), digits, bool(before)))
        lines.append([*cells, new.get("bound", ""), f"{new['occupancy']:.0%}"])
    head = (
        "8 bits, kernels, registers, instructions a sample, multiply-adds among them, bytes a "
        "sample, ceiling of computing as a share of copy, as launched, bound by, occupancy"
    )
    said = [f"{MAIN} and an H100 of {CARDS['H100'].copy / 1e12:.1f} TB/s. {worst(rows)}"]
    if before:
        said.append(f"Before: {worst(before)}")
    return "\n\n".join([*said, table(head, lines)])


def _change(old: float | None, new: float | None, digits: int, both: bool) -> str:
    """One figure, or two with an arrow."""
    now = "?" if new is None else f"{new:.{digits}f}"
    if not both:
        return now
    then = "?" if old is None else f"{old:.{digits}f}"
    return now if then == now else f"{then} → {now}"


def worst(rows: Rows) -> str:
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
    unknown = sum("ceiling" not in row for _, _, row in every if "depthwise" not in row["kernels"])
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
    tensors = [one for one in depthwise() if fnmatch(one.name, options.only or "*")]
    few |= {one.name for one in tensors}
    rows = measured([*asked(cases), *tensors], tuple(options.arch), few)
    before = of_revision(options.before, options) if options.before else earlier()
    text = summary(rows, before)
    data = {"cards": {n: c._asdict() for n, c in CARDS.items()}, **packed(rows)}
    if before:
        data["before"] = packed({k: v for k, v in before.items() if k.rsplit(" ", 2)[0] in SHOWN})
    print(text)
    if options.json:
        write_json(options.json, data)
    if options.write:
        put_text(options.write, "gpu-static", text)
        write_json(beside(PAGE, "gpu-static"), data)


if __name__ == "__main__":
    main()
