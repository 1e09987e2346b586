"""Running whole processes, one at a time: seconds, peak memory and bytes written of each."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

LAUNCHER = """
import json, os, subprocess, sys, time
for line in sys.stdin:
    command, folder, more = json.loads(line)
    start = time.perf_counter()
    with open(os.devnull, "wb") as null:
        p = subprocess.Popen(command, cwd=folder, stdin=null, stdout=null, stderr=subprocess.PIPE,
                             env=dict(os.environ, **more))
    message = p.stderr.read().decode(errors="replace")
    os.waitid(os.P_PID, p.pid, os.WEXITED | os.WNOWAIT)
    seconds = time.perf_counter() - start
    written = 0
    try:
        with open(f"/proc/{p.pid}/io") as file:
            written = int(dict(line.split(": ") for line in file)["write_bytes"])
    except OSError:
        pass
    _, status, usage = os.wait4(p.pid, 0)
    print(json.dumps([seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, written,
                      os.waitstatus_to_exitcode(status), message]), flush=True)
"""
"""The peak is that of the kernel's VmHWM; written is what the file system was given to store."""


class Run(NamedTuple):
    """What one process took."""

    seconds: float
    cpu: float
    memory: int
    written: int


@functools.cache
def launcher() -> subprocess.Popen[str]:
    """A small process that starts the tools: a child's peak memory counts its parent's at the fork."""
    return subprocess.Popen(
        [sys.executable, "-S", "-c", LAUNCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def hold_to(cpus: int) -> None:
    """Give this process and all that it starts so many processors, as ``taskset`` does."""
    have = sorted(os.sched_getaffinity(0))
    if cpus > len(have):
        raise SystemExit(f"--cpus {cpus}: there are {len(have)}")
    os.sched_setaffinity(0, have[:cpus])


def run(command: list[str], cwd: Path, variables: dict[str, str] | None = None) -> Run:
    """Start it, wait for it, and stop everything if it failed."""
    process = launcher()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps([command, str(cwd), variables or {}]) + "\n")
    process.stdin.flush()
    *numbers, code, message = json.loads(process.stdout.readline())
    if code:
        raise SystemExit(f"{command} failed: {message}")
    return Run(*numbers)


def summed(got: list[Run]) -> dict[str, Any]:
    """Medians, and the spread of the seconds."""
    seconds = [r.seconds for r in got]
    return {
        "seconds": median(seconds),
        "least": min(seconds),
        "most": max(seconds),
        "runs": len(got),
        "cpu": median(r.cpu for r in got),
        "memory": median(r.memory for r in got),
        "written": median(r.written for r in got),
    }
