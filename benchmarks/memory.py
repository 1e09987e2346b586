"""Memory that does not grow: pictures from 24 to 1,000 megapixels under ``--memory 200M``.

    python benchmarks/memory.py [--megapixels 24 100 400 1000] [--formats png tif] [--bits 8 16]
                                [--write docs/performance.md] [--json FILE]

``gaussian:3`` from file to file, one picture after the other: each is made in bands, filtered and
removed, so the disk needs room for the largest and its result (6 GB each, of 1,000 megapixels of 16
bits). The peak is that of the process (VmHWM). At 24 megapixels the file written under the limit is
compared with that written without. Sizes that are not run stay as they were.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import pictures
from process_rows import program
from process_run import Run, run, summed
from report import add_outputs, facts, kept, leave, machine_line, table

MEMORY, KERNEL = "200M", "gaussian:3"
COMPARED = 30
"""Megapixels up to which the result is compared; also those of which there are three runs."""
BAR = 1.2
"""The most that the last may take of what the first took."""


def size(megapixels: float) -> tuple[int, int]:
    """Width and height, 3 to 2, of 24 megapixels 6000 x 4000."""
    width = round((megapixels * 1.5e6) ** 0.5)
    return width, round(megapixels * 1e6 / width)


def measure(folder: Path, suffix: str, bits: int, megapixels: float, memory: str) -> dict[str, Any]:
    """One picture of one format."""
    width, height = size(megapixels)
    source, made = f"in.{suffix}", f"out.{suffix}"
    pictures.write_in_bands(folder / source, width, height, f"uint{bits}")
    command = [program(), "filter", source, "-k", KERNEL, "-o", made, "-q", "--overwrite"]
    command += ["--max-pixels", "2000000000"]
    held = [*command, "--memory", memory]
    got: list[Run] = [run(held, folder) for _ in range(3 if megapixels <= COMPARED else 1)]
    found = {"megapixels": width * height / 1e6} | summed(got)
    found["ms per megapixel"] = found["seconds"] * 1e3 / found["megapixels"]
    if megapixels <= COMPARED:
        result = (folder / made).read_bytes()
        run(command, folder)
        if (folder / made).read_bytes() != result:
            raise SystemExit(f"{source}: --memory changes the result")
    found["file"], found["result"] = ((folder / f).stat().st_size for f in (source, made))
    for name in (source, made):
        (folder / name).unlink()
    return found


def page(data: dict[str, Any]) -> str:
    """The section: a line for each format and depth, a column for each size."""
    sizes = sorted({float(s) for rows in data["rows"].values() for s in rows})
    lines = []
    for name, rows in sorted(data["rows"].items()):
        have = [rows.get(f"{s:g}") for s in sizes]
        cells = [f"{r['memory'] / 1e6:.0f}; {r['ms per megapixel']:.1f}" if r else "" for r in have]
        lines.append([name, *cells, _ratio([r for r in have if r])])
    head = ", ".join(f"{s:g} MP: MB; ms per MP" for s in sizes)
    said = (
        f"Peak memory and time under `--memory {MEMORY}`, `{KERNEL}`; the last may take at most "
        f"{BAR:g} times the memory of the first."
    )
    made = table(f"picture, {head}, memory; last over first", lines)
    return f"{machine_line(data['facts'])} {said}\n\n{made}"


def _ratio(rows: list[dict[str, Any]]) -> str:
    if len(rows) < 2:
        return ""
    ratio = rows[-1]["memory"] / rows[0]["memory"]
    return f"**{ratio:.2f}**" + (" (over)" if ratio > BAR else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="*", default=[24, 100, 400, 1000])
    parser.add_argument("--formats", nargs="*", default=["png", "tif"])
    parser.add_argument("--bits", type=int, nargs="*", default=[8, 16])
    parser.add_argument("--memory", default=MEMORY, help="another limit, to try this out")
    parser.add_argument("--folder", type=Path, help="where the pictures are put for the while")
    add_outputs(parser)
    options = parser.parse_args()
    data = kept(options.write, "memory")
    data["facts"] = facts(())
    rows = data.setdefault("rows", {})
    for suffix in options.formats:
        for bits in options.bits:
            name = f"{suffix.upper().replace('TIF', 'TIFF')}, {bits} bits"
            for megapixels in options.megapixels:
                with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                    got = measure(Path(folder), suffix, bits, megapixels, options.memory)
                rows.setdefault(name, {})[f"{megapixels:g}"] = got
                print(f"{name}, {megapixels:g} MP: {got['memory'] / 1e6:.0f} MB, "
                      f"{got['seconds']:.2f} s", file=sys.stderr, flush=True)  # fmt: skip
    text = page(data)
    print(text)
    leave(options, "memory", text, data)


if __name__ == "__main__":
    main()
