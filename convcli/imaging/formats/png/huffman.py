"""Deflate by Huffman codes alone with NumPy, to the bytes of ``pack.c``, which explains it.

Everything that is written is a value and how many bits it takes, at most 16. Source: RFC 1951.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import groupby
from operator import mul
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["code_lengths", "pack"]

LONGEST, LONGEST_RUN = 12, 7
"""Most bits of a code, and of a code for the lengths of codes."""
BLOCK = 0xFFFF
"""Bytes, as many as a stored block can have."""
DISTANCES = 2
"""No match has one, but pkzip and old readers want a complete code."""
TOLD_ORDER = 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15
EXTRA_BITS = {16: 2, 17: 3, 18: 7}

Items: TypeAlias = list[tuple[int, int]]
Words: TypeAlias = NDArray[np.uint64]


def pack(raw: memoryview, last: bool) -> bytes:
    """Deflate as the last bytes of a stream, or up to a full flush."""
    data = np.frombuffer(raw, np.uint8)
    if not len(data):
        raise ValueError("there is nothing to pack")
    out = _Bits(len(data) + 6 * (len(data) // BLOCK + 2))
    for start in range(0, len(data), BLOCK):
        _block(out, data[start : start + BLOCK], last and start + BLOCK >= len(data))
    if not last:
        _stored(out, data[:0], False)
    return out.whole()


class _Bits:
    """Bits one after the other, of which there is room for so many bytes."""

    def __init__(self, room: int) -> None:
        self._words = np.zeros(room // 8 + 3, "<u8")
        self.count = 0

    def put(self, head: Items, values: Words, bits: Words) -> None:
        """Put these behind, joined by four, which take 52 bits at most."""
        none = [(0, 0)] * (-(len(head) + len(values)) % 4)
        first, after = (np.array(items, np.uint64).reshape(-1, 2).T for items in (head, none))
        values, bits = map(np.concatenate, zip(first, (values, bits), after, strict=True))
        for _ in range(2):
            values = values[::2] | values[1::2] << bits[::2]
            bits = bits[::2] + bits[1::2]
        ends = np.cumsum(bits) + np.uint64(self.count)
        starts = ends - bits
        words, shifts = (starts >> 6).astype(np.int64), starts & 63
        firsts = np.flatnonzero(np.diff(words, prepend=-1))  # none is without: four are shorter
        at = words[0]
        out = self._words[at : at + len(firsts) + 1]
        out[:-1] |= np.bitwise_or.reduceat(values << shifts, firsts)
        out[1:] |= np.bitwise_or.reduceat(values >> 1 >> 63 - shifts, firsts)
        self.count = int(ends[-1])

    def whole(self) -> bytes:
        """All of them, up to a whole byte."""
        return self._words.tobytes()[: (self.count + 7) // 8]


def code_lengths(counts: Sequence[int], longest: int) -> list[int]:
    """The lengths of the codes for symbols of these counts, of which two at least are not zero.

    Huffman's, by two queues, those above the longest cut, and as many others made longer as
    completes the code again.

    >>> code_lengths([5, 0, 2, 1, 1], 12), code_lengths([5, 0, 2, 1, 1], 2)
    ([1, 0, 2, 3, 3], [2, 0, 2, 2, 2])
    """
    order = sorted((s for s, count in enumerate(counts) if count), key=lambda s: (counts[s], s))
    leaves = deque((counts[s], node) for node, s in enumerate(order))
    inner: deque[tuple[int, int]] = deque()
    parents = [0] * (2 * len(order) - 1)
    for node in range(len(order), len(parents)):
        total = 0
        for _ in range(2):
            leaf = leaves and (not inner or leaves[0][0] <= inner[0][0])
            count, child = (leaves if leaf else inner).popleft()
            total, parents[child] = total + count, node
        inner.append((total, node))
    depths = [0] * len(parents)
    of_length = [0] * (longest + 1)
    for node in reversed(range(len(parents) - 1)):
        depths[node] = depths[parents[node]] + 1
        if node < len(order):
            of_length[min(depths[node], longest)] += 1
    for _ in range(sum(n << longest - k for k, n in enumerate(of_length)) - (1 << longest)):
        length = max(k for k in range(longest) if of_length[k])
        of_length[length] -= 1
        of_length[length + 1] += 2
        of_length[longest] -= 1
    lengths = [0] * len(counts)
    falling = [k for k in reversed(range(longest + 1)) for _ in range(of_length[k])]
    for symbol, length in zip(order, falling, strict=True):
        lengths[symbol] = length
    return lengths


def _codes(lengths: Sequence[int]) -> list[int]:
    """The codes of these lengths, their bits in the order of the stream (section 3.2.2)."""
    codes = [0] * len(lengths)
    code = before = 0
    for length, symbol in sorted((n, s) for s, n in enumerate(lengths) if n):
        code <<= length - before
        codes[symbol] = int(f"{code:0{length}b}"[::-1], 2)
        code, before = code + 1, length
    return codes


def _runs(lengths: Sequence[int]) -> Items:
    """Lengths as symbols of the code for them, each with what its extra bits say (3.2.7)."""
    runs: Items = []
    for length, group in groupby(lengths):
        left = len(list(group))
        if length:
            runs.append((length, 0))
            left -= 1
        while left >= 3:
            run = min(left, 6 if length else 138)
            runs.append((16, run - 3) if length else (17, run - 3) if run < 11 else (18, run - 11))
            left -= run
        runs += [(length, 0)] * left
    return runs


def _block(out: _Bits, part: NDArray[np.uint8], ends: bool) -> None:
    """A block with a code of its own, or as it is where that takes no more."""
    counts = [*np.bincount(part, minlength=256).tolist(), 1]
    lengths = code_lengths(counts, LONGEST)
    runs = _runs([*lengths, *[1] * DISTANCES])
    run_counts = [0] * len(TOLD_ORDER)
    for symbol, _ in runs:
        run_counts[symbol] += 1
    run_lengths = code_lengths(run_counts, LONGEST_RUN)
    told = max(k for k, s in enumerate(TOLD_ORDER) if run_lengths[s]) + 1
    head = [(int(ends) | 2 << 1, 3), (0, 5), (DISTANCES - 1, 5), (told - 4, 4)]
    head += [(run_lengths[s], 3) for s in TOLD_ORDER[:told]]
    run_codes = _codes(run_lengths)
    for symbol, extra in runs:
        head += [(run_codes[symbol], run_lengths[symbol]), (extra, EXTRA_BITS.get(symbol, 0))]
    size = sum(n for _, n in head) + sum(map(mul, counts, lengths))
    if size >= 3 + -(out.count + 3) % 8 + 32 + 8 * len(part):
        _stored(out, part, ends)
        return
    table, bits = np.array(_codes(lengths), np.uint64), np.array(lengths, np.uint64)
    out.put(head, np.append(table[part], table[-1]), np.append(bits[part], bits[-1]))


def _stored(out: _Bits, part: NDArray[np.uint8], ends: bool) -> None:
    """A block as it is, its bytes behind a whole number of others."""
    head = [(int(ends), 3), (0, -(out.count + 3) % 8), (len(part), 16), (len(part) ^ BLOCK, 16)]
    out.put(head, part.astype(np.uint64), np.full(len(part), 8, np.uint64))
