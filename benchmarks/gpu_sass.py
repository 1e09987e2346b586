"""What a kernel's machine code does for a sample, read from its disassembly.

How instructions are counted
----------------------------
``nvdisasm -json`` gives the instructions; branches cut them into blocks, and back edges of the
graph of blocks give the loops, nested as they are. What a loop costs is the cost of one way
through it from its head back to its head, loops inside it counted once for each of their turns.

Of several ways the busiest is taken, since a thread in the middle of a picture takes it: the one
with no call (calls are what threads at an edge do), then with the most bytes stored, the most
arithmetic, the most conversions, the most bytes loaded, and among those the fewest instructions:
whatever no sample needs, such as counting clipped samples where none is clipped, is left out. A
predicated instruction takes its issue slot and counts.

If stores to the picture lie in loops, the steady state is one turn of the innermost such loop.
Otherwise it is the whole kernel. Samples are the bytes that were stored by their size, so nobody
has to say how often a loop was unrolled. How often inner loops turn has to be said where it is not
a constant of the code: see ``gpu_kinds.py``.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, NamedTuple

from gpu_nvrtc import packages


class Instruction(NamedTuple):
    """One of SASS: its opcode with modifiers, operands, and whether a predicate guards it."""

    opcode: str
    operands: str = ""
    predicate: str = ""


PIPES = {
    # Multiply-adds of matrices. One of 16 x 32 by 32 x 8 bytes takes two clocks of a multiprocessor
    # of 8.0. 9.0 has twice as many, of which this kind is said to reach 60 %; what 10.0 does with
    # it, nobody says: as 8.0.
    "matrix": r"IMMA",
    # Conversions and special functions, 16 lanes: the guide's line of special functions, and
    # Nsight's "transcendental and data type conversion unit".
    "xu": r"I2F(?!P)|F2I(?!P)|F2F(?!P)|FRND|MUFU|POPC|FLO|BREV",
    "fp64": r"DADD|DMUL|DFMA|DSETP|DMNMX",
    # Integer additions, logic, shifts, comparisons, selections, permutations, packed conversions.
    "alu": r"IADD|VIADD|LOP3|PLOP3|SHF|SGXT|ISETP|FSETP|IMNMX|VIMNMX|VIADDMNMX|FMNMX|SEL|FSEL|PRMT"
    r"|LEA|I2FP|F2FP|I2IP|F2IP|VABSDIFF|MOV|ICMP|BMSK|P2R|R2P|CSEL|FCHK|VHMNMX|VIMNMX3|FMNMX3",
    # Integer multiplications, on half of the lanes that multiply floats.
    "imad": r"IMAD|IDP",
    "fma": r"FFMA|FADD|FMUL|HFMA|HADD|HMUL|CS2R",
}
LANES = {  # of a multiprocessor, each clock: by pipe, for 8.0, 9.0 and 10.0
    "sm_80": {"issue": 128, "matrix": 16, "xu": 16, "fp64": 32, "alu": 64, "imad": 64, "fma": 64},
    "sm_90": {"issue": 128, "matrix": 20, "xu": 16, "fp64": 64, "alu": 64, "imad": 64, "fma": 128},
    "sm_100": {"issue": 128, "matrix": 16, "xu": 16, "fp64": 64, "alu": 64, "imad": 64, "fma": 128},
}
ADDS = re.compile(r"(FFMA|FADD|FMUL|HFMA2|HADD2|HMUL2|DFMA|DADD|DMUL|IDP|HMMA|IMMA)\b")
WHOLE_ADD = re.compile(r"IMAD(\.U32)?$")
CHANGES = re.compile(r"I2F|F2I|F2F|FRND|I2IP|F2IP")
PICKS = re.compile(r"[FIV]+(ADD)?MNMX|VHMNMX")
_PIPE = {name: re.compile(rf"(?:{pattern})(?![A-Z])") for name, pattern in PIPES.items()}


def pipe_of(opcode: str) -> str:
    """The pipe that carries an instruction out, "" for those that only take an issue slot.

    >>> pipe_of("I2FP.F32.U32"), pipe_of("I2F.U8"), pipe_of("IMAD.MOV.U32"), pipe_of("BRA")
    ('alu', 'xu', 'imad', '')
    """
    return next((name for name, pattern in _PIPE.items() if pattern.match(opcode)), "")


def width_of(opcode: str) -> int:
    """Bytes that a load or store of one thread moves.

    >>> width_of("LDG.E.128.CONSTANT"), width_of("LDS.U8"), width_of("STG.E"), width_of("LDS.U.64")
    (16, 1, 4, 8)
    """
    sizes = {"256": 32, "128": 16, "64": 8, "U16": 2, "S16": 2, "16": 2, "U8": 1, "S8": 1, "8": 1}
    return next((sizes[part] for part in opcode.split(".")[1:] if part in sizes), 4)


def leaves(one: Instruction) -> str:
    """Whether an instruction goes on elsewhere ("jump"), or nowhere ("end").

    A call by address leads to another place of the same kernel and does not come back.

    >>> leaves(Instruction("CALL.REL.NOINC", "0x4250")), leaves(Instruction("CALL.REL", "gather"))
    ('jump', '')
    """
    name = one.opcode.split(".")[0]
    if name in ("BRA", "JMP") or (name == "CALL" and one.operands.startswith("0x")):
        return "jump"
    return "end" if name in ("EXIT", "RET") else ""


class Tally(NamedTuple):
    """What some instructions do, by thread; the order is that in which ways are compared."""

    calls: float = 0
    stored: float = 0
    adds: float = 0
    changed: float = 0
    """Conversions, whichever pipe does them."""
    loaded: float = 0
    instructions: float = 0
    xu: float = 0
    fp64: float = 0
    alu: float = 0
    imad: float = 0
    fma: float = 0
    matrix: float = 0
    near: float = 0
    """Bytes of shared memory, read and written."""
    local: float = 0
    """Loads and stores of the stack."""

    def plus(self, other: Tally, times: float = 1) -> Tally:
        return Tally(*(a + b * times for a, b in zip(self, other, strict=True)))


def tally_of(block: Sequence[Instruction], whole: bool) -> Tally:
    """Sum of a block; ``whole``: multiply-adds are those of whole numbers."""
    found = dict.fromkeys(Tally._fields, 0.0)
    for one in block:
        opcode, operands, _ = one
        found["instructions"] += opcode != "NOP"
        pipe = pipe_of(opcode)
        if pipe:
            found[pipe] += 1
        name = opcode.split(".")[0]
        # A constant is loaded by the multiplier of halves where that is idle: no arithmetic.
        constant = name == "HFMA2" and "RZ,RZ" in operands.replace(" ", "").replace("-", "")
        if (ADDS.match(opcode) and not constant) or (whole and WHOLE_ADD.match(opcode)):
            found["adds"] += 1
        elif PICKS.match(opcode):
            found["adds"] += 1e-3  # of filters that pick; beside sums they decide nothing
        if CHANGES.match(opcode):
            found["changed"] += 1
        if name == "LDG":
            found["loaded"] += width_of(opcode)
        elif name == "STG":
            found["stored"] += width_of(opcode)
        elif name in ("LDS", "STS", "LDSM", "LDGSTS"):
            found["near"] += width_of(opcode)
        elif name in ("LDL", "STL"):
            found["local"] += 1
        elif name == "CALL":
            found["calls"] += not leaves(one)
    return Tally(**found)


@dataclass(slots=True)
class Loop:
    """A loop, or the whole kernel: its blocks, the first of which is ``head``."""

    head: int
    blocks: set[int]
    inner: list[Loop] = field(default_factory=list)


class Flow:
    """The blocks of a kernel, where each leads, and its loops."""

    def __init__(self, code: Sequence[Instruction], step: int = 16) -> None:
        self.code = code
        cuts, jumps = {0}, {}
        for at, one in enumerate(code):
            if leaves(one):
                cuts.add(at + 1)
                # Where threads of a warp part, code is repeated; none do in the steady state.
                if leaves(one) == "jump" and ".DIV" not in one.opcode:
                    jumps[at] = int(re.findall(r"0x[0-9a-f]+", one.operands)[-1], 16) // step
                    cuts.add(jumps[at])
        starts = sorted(cut for cut in cuts if cut < len(code))
        self.blocks = dict(zip(starts, [*starts[1:], len(code)], strict=True))
        self.next: dict[int, list[int]] = {}
        for start, end in self.blocks.items():
            last = code[end - 1]
            perhaps = bool(last.predicate) or ".U" in last.opcode or ".DIV" in last.opcode
            perhaps = perhaps or (leaves(last) == "jump" and "," in last.operands)
            leads = [jumps[end - 1]] if end - 1 in jumps else []
            if (perhaps or not leaves(last)) and end < len(code):
                leads.append(end)
            self.next[start] = leads
        self.whole = self._loops()

    def _loops(self) -> Loop:
        order: list[int] = []
        seen, open_, back = set(), set(), []
        stack: list[tuple[int, Iterator[int]]] = [(0, iter(self.next[0]))]
        seen.add(0)
        open_.add(0)
        while stack:
            at, leads = stack[-1]
            for to in leads:
                if to in open_:
                    back.append((at, to))
                elif to not in seen:
                    seen.add(to)
                    open_.add(to)
                    stack.append((to, iter(self.next[to])))
                    break
            else:
                stack.pop()
                open_.discard(at)
                order.append(at)
        before: dict[int, list[int]] = {block: [] for block in seen}
        for block in seen:
            for to in self.next[block]:
                before[to].append(block)
        bodies: dict[int, set[int]] = {}
        for latch, head in back:
            body, waiting = {head}, [latch]
            while waiting:
                block = waiting.pop()
                if block not in body:
                    body.add(block)
                    waiting += before[block]
            bodies.setdefault(head, set()).update(body)
        self.order = order[::-1]
        whole = Loop(0, seen)
        for head, body in sorted(bodies.items(), key=lambda item: -len(item[1])):
            home = whole
            while True:
                deeper = [loop for loop in home.inner if body < loop.blocks]
                if not deeper:
                    break
                home = deeper[0]
            home.inner.append(Loop(head, body))
        return whole


Turns = Callable[[int, int], float | None]
"""Times that a loop turns, given its depth below the one looked at and its height above the
innermost; None if it is not known."""


Way = Literal["busy", "warm", "idle"]
"""Through a loop: with sums and stores, without stores (rows before the first output), or without
sums (turns in which a thread has none to do)."""


class UnknownTurns(Exception):
    """A loop inside the steady state, of which nobody said how often it turns."""


class Reader:
    """Costs of ways through a kernel."""

    def __init__(self, code: Sequence[Instruction], whole: bool = False) -> None:
        self.flow, self._whole = Flow(code), whole

    def steady(self) -> tuple[Loop, bool]:
        """The innermost loop that stores, and whether there is one; else the whole kernel.

        A loop that stores beside the busiest way is that of the picture's end, sample by sample;
        of several on it the largest is the one that the compiler unrolled, the others its rest.
        """
        found = self.flow.whole
        while True:
            deeper = [loop for loop in found.inner if self._stores(loop)]
            once, more = (self.cost(found, lambda depth, height, n=n: n) for n in (1.0, 1.01))
            if not deeper or once.stored == more.stored:
                return found, found is not self.flow.whole
            found = max(deeper, key=lambda loop: len(loop.blocks))

    def _stores(self, loop: Loop) -> bool:
        return any(
            one.opcode.startswith("STG")
            for block in loop.blocks
            for one in self.flow.code[block : self.flow.blocks[block]]
        )

    def cost(self, loop: Loop, turns: Turns, way: Way = "busy", depth: int = 0) -> Tally:
        """Of one turn of a loop, by the way through it that is most like the one asked for."""
        flow, inside = self.flow, {}
        for inner in loop.inner:
            for block in inner.blocks:
                inside[block] = inner
        weight: dict[int, Tally] = {}
        leads: dict[int, list[int]] = {}
        for block in loop.blocks:
            inner = inside.get(block)
            node = inner.head if inner else block
            leads.setdefault(node, []).extend(
                to for to in flow.next[block] if not (inner and to in inner.blocks)
            )
            if inner is None:
                body = flow.code[block : flow.blocks[block]]
                weight[node] = tally_of(body, self._whole)
            elif node not in weight:
                times = turns(depth + 1, height_of(inner))
                if times is None:
                    raise UnknownTurns
                once = self.cost(inner, turns, way, depth + 1)
                weight[node] = Tally().plus(once, times)
        whole = loop is flow.whole
        best: dict[int, Tally] = {}
        # Backwards from the ends, each block after all that it leads to.
        for node in reversed([b for b in flow.order if b in weight]):
            ways = []
            for to in leads[node]:
                if to == loop.head and not whole:
                    ways.append(Tally())
                elif to in loop.blocks:
                    target = inside[to].head if to in inside else to
                    if target in best:
                        ways.append(best[target])
            if whole and not leads[node]:
                ways.append(Tally())
            if ways:
                best[node] = max(map(weight[node].plus, ways), key=lambda t: rank(t, way))
        return best[loop.head]


def rank(t: Tally, way: Way) -> tuple[float, ...]:
    """How much a way through a loop is like the one looked for."""
    stored = -t.stored if way == "warm" else t.stored
    adds = -t.adds if way == "idle" else t.adds
    return (-t.calls, stored, adds, t.changed, t.loaded, -t.instructions)


def height_of(loop: Loop) -> int:
    """Loops inside one another, below this one."""
    return 1 + max(map(height_of, loop.inner)) if loop.inner else 0


@cache
def nvdisasm() -> str:
    """The disassembler: from NVIDIA's package, else from PATH, else ""."""
    for folder in packages("cu13", "cuda_nvdisasm", "cuda_nvcc"):
        path = folder / "bin" / "nvdisasm"
        if path.exists():
            return str(path)
    return shutil.which("nvdisasm") or ""


def disassembled(cubin: bytes, function: str) -> list[Instruction]:
    """Instructions of the section that holds a kernel; what it calls stands behind it."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        done = subprocess.run(
            [nvdisasm(), "-json", "-c", file.name], capture_output=True, text=True, check=True
        )
    sections = json.loads(done.stdout)[1]
    (found,) = [s for s in sections if s["function-name"] == function]
    return [
        Instruction(i["opcode"], i.get("operands", ""), i.get("predicate", ""))
        for i in found["sass-instructions"]
    ]
