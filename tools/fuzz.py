"""Throw damaged input at convcli, and report what it does wrong.

    python tools/fuzz.py parsers --count 100000
    python tools/fuzz.py filter --count 20000
    python tools/fuzz.py filter --only 4711          # one case again, in this process

Cases are numbered, and case N of a seed is always the same. They run in a child process under a
memory limit; the parent watches the clock, and takes note when the child dies. A finding is
printed with the command that repeats it; the exit code is 1 if there are any.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import mmap
import os
import random
import re
import resource
import shutil
import signal
import struct
import sys
import time
import traceback
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import fuzz_targets
from fuzz_libraries import prepare
from fuzz_targets import GROUPS, TARGETS

SECONDS = 10
MEMORY = 2 << 30
"""Bytes of address space on top of what the process has at its start."""


def one(target: str, seed: int, number: int) -> None:
    """Carry out one case; raises if it went wrong."""
    TARGETS[target](random.Random(f"{seed}/{target}/{number}"))


def work(target: str, seed: int, first: int, last: int, shared: mmap.mmap, out: int) -> None:
    """The child: cases one after the other, the number of each noted before it begins."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        size = int(file.read().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("error")  # none may reach standard error
    for number in range(first, last):
        shared[:16] = struct.pack("<qd", number, time.monotonic())
        try:
            one(target, seed, number)
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            text = " ".join(f"{type(error).__name__} at {place}: {error}".split())[:300]
            os.write(out, f"{number}\t{text}\n".encode("utf-8", "replace"))
    shared[:16] = struct.pack("<qd", last, time.monotonic())


def run(target: str, seed: int, first: int, count: int) -> list[tuple[int, str]]:
    """All cases of a target, a new child after each that died."""
    last, findings = first + count, []
    while first < last:
        shared = mmap.mmap(-1, 16)
        shared[:16] = struct.pack("<qd", first, time.monotonic())
        inlet, outlet = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(inlet)
            work(target, seed, first, last, shared, outlet)
            os._exit(0)
        os.close(outlet)
        ended, said = _watch(child, shared, inlet)
        for line in said.decode("utf-8", "replace").splitlines():
            number, _, text = line.partition("\t")
            findings.append((int(number), text))
        at, _ = struct.unpack("<qd", shared[:16])
        first = last if not ended else at + 1
        if ended:
            findings.append((at, ended))
    return findings


def _watch(child: int, shared: mmap.mmap, inlet: int) -> tuple[str, bytes]:
    """Wait for the child; why it ended early, and all that it said."""
    said, late = b"", ""
    os.set_blocking(inlet, False)
    while True:
        with contextlib.suppress(BlockingIOError):
            said += os.read(inlet, 1 << 16)
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        _, began = struct.unpack("<qd", shared[:16])
        if time.monotonic() - began > SECONDS:
            late = f"took more than {SECONDS} s"
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
    while part := os.read(inlet, 1 << 16):
        said += part
    os.close(inlet)
    code = os.waitstatus_to_exitcode(status)
    return late or (f"died: {signal.Signals(-code).name}" if code < 0 else ""), said


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("target", choices=[*TARGETS, *GROUPS])
    parser.add_argument("--count", type=int, default=10_000, help="cases in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int, help="this case, in this process, with its traceback")
    given = parser.parse_args()
    names = GROUPS.get(given.target, [given.target])
    if given.only is not None:
        for name in names:
            one(name, given.seed, given.only)
        return 0
    if "libraries" in names:
        prepare()
    total = 0
    for name in names:
        began, count = time.monotonic(), given.count // len(names)
        findings = run(name, given.seed, given.first, count)
        total += len(findings)
        kinds = collections.defaultdict(list)
        for number, text in findings:
            kind = re.sub(r"0x[0-9a-f]+|[0-9]+", "N", text.partition(": ")[2])
            kinds[text.partition(": ")[0] + kind[:70]].append((number, text))
        print(
            f"{name}: {count:,} cases in {time.monotonic() - began:.0f} s, {len(findings)} findings"
        )
        for same in kinds.values():
            number, text = same[0]
            print(f"  {len(same)} x {text}")
            print(f"    python tools/fuzz.py {name} --seed {given.seed} --only {number}")
        sys.stdout.flush()
    return 1 if total else 0


if __name__ == "__main__":
    try:
        code = main()
    finally:
        shutil.rmtree(fuzz_targets.folder(), ignore_errors=True)
    sys.exit(code)
