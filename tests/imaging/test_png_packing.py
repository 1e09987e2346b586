"""Strips packed by Huffman codes alone: what zlib and others read, compiled and not, and when."""

from __future__ import annotations

import heapq
import io
import zlib
from collections.abc import Iterator

import imagecodecs
import numpy as np
import pytest
from isal import isal_zlib
from PIL import Image

from convcli.extensions import extension
from convcli.imaging.formats.png import huffman
from convcli.imaging.formats.png.chunks import walk
from convcli.imaging.formats.png.packing import (
    HEAD_BYTES,
    PACKERS,
    SAMPLE_BYTES,
    SAMPLES,
    pack_codes,
    pack_matches,
)
from convcli.imaging.formats.png.write import encode_png
from convcli.imaging.header import Metadata

BLOCK = 0xFFFF


def strips() -> Iterator[bytes]:
    """Of all lengths about a block's, with few symbols, many, as many of each, and long codes."""
    rng = np.random.default_rng(6)
    for n in (1, 2, 3, 4, 5, 67, 68, 69, 1001, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 70):
        noise = rng.integers(0, 256, n)
        peak = np.rint(rng.normal(0, 1 + n % 29, n)) % 256
        for values in (noise, peak, noise // 129, np.full(n, 200), np.where(peak < 9, peak, noise)):
            yield values.astype(np.uint8).tobytes()
    for n in (1, 7, BLOCK // 2):  # what is stored behind codes, and codes behind what is stored
        few, many = rng.integers(0, 3, BLOCK + n), rng.integers(0, 256, BLOCK)
        yield np.concatenate([few[:BLOCK], many, few]).astype(np.uint8).tobytes()
    yield b"".join(bytes([k]) * n for k, n in enumerate(fibonacci(21)))
    yield b"".join(bytes([255 - k]) * n for k, n in enumerate(fibonacci(16)))


def fibonacci(n: int) -> list[int]:
    """Counts for which Huffman's codes are longest."""
    counts = [1, 1]
    while len(counts) < n:
        counts.append(counts[-1] + counts[-2])
    return counts


@pytest.mark.parametrize("last", [True, False])
def test_zlib_and_isal_read_what_both_loops_write(last: bool) -> None:
    loops = extension("_png").module
    for raw in strips():
        packed = huffman.pack(memoryview(raw), last)
        assert loops is None or loops.pack(raw, last) == packed
        reader = zlib.decompressobj(-15)
        assert reader.decompress(packed) == raw
        assert (reader.eof, reader.unused_data) == (last, b"")
        more = b"" if last else zlib.compress(b"more", wbits=-15)
        assert isal_zlib.decompress(packed + more, -15) == raw + b"more" * (not last)


def test_no_more_bytes_than_stored_and_as_few_as_the_codes_allow() -> None:
    for raw in strips():
        size = len(pack_codes(memoryview(raw), True))
        blocks = -(-len(raw) // BLOCK)
        assert size <= len(raw) + 5 * blocks + 1
        bits = 0
        for start in range(0, len(raw), BLOCK):
            counts = np.bincount(np.frombuffer(raw[start : start + BLOCK], np.uint8)).tolist()
            bits += least_cost([*counts, 1])[0]
        # A head, and what it costs that no code is longer than 12 bits.
        assert size <= bits / 8 * 1.003 + 170 * blocks


@pytest.mark.parametrize("longest", [7, 12])
def test_code_lengths_are_huffmans_or_complete_codes_that_are_no_longer_than_allowed(
    longest: int,
) -> None:
    rng = np.random.default_rng(longest)
    cases = [[1, 1], [5, 0, 1], [1] * 19, fibonacci(19), fibonacci(12) + [0] * 3]
    cases += [rng.geometric(0.02, n).tolist() for n in (2, 3, 19, 100)]
    if longest == 12:
        cases += [fibonacci(23), rng.geometric(0.001, 257).tolist(), [1] * 256 + [60000]]
    limited = 0
    for counts in cases:
        if sum(map(bool, counts)) > 1 << longest:
            continue
        lengths = huffman.code_lengths(counts, longest)
        assert [n > 0 for n in lengths] == [n > 0 for n in counts]
        assert sum(2**-n for n in lengths if n) == 1
        cost, deepest = least_cost(counts)
        if deepest <= longest:
            assert sum(n * k for n, k in zip(lengths, counts, strict=True)) == cost
        else:
            limited += 1
            assert max(lengths) == longest
    assert limited >= 1


def least_cost(counts: list[int]) -> tuple[int, int]:
    """Bits of all symbols in a Huffman code, and of the longest, from a plain heap."""
    heap = [(count, 0) for count in counts if count]
    heapq.heapify(heap)
    cost = 0
    while len(heap) > 1:
        (a, deep_a), (b, deep_b) = heapq.heappop(heap), heapq.heappop(heap)
        cost += a + b
        heapq.heappush(heap, (a + b, 1 + max(deep_a, deep_b)))
    return cost, heap[0][1]


@pytest.mark.parametrize("end", [zlib.Z_FINISH, zlib.Z_FULL_FLUSH])
def test_what_repeats_is_packed_by_matches_and_what_does_not_by_codes(end: int) -> None:
    rng = np.random.default_rng(2)
    noise = (np.rint(rng.normal(0, 5, 200_000)) % 256).astype(np.uint8).tobytes()
    white = memoryview(noise[:60_000] + bytes(140_000))
    twice = memoryview(np.repeat(np.frombuffer(noise, np.uint8), 3).tobytes())
    pack = PACKERS["default"]
    assert pack(memoryview(noise), end) == [pack_codes(memoryview(noise), end == zlib.Z_FINISH)]
    for raw in (white, twice, memoryview(noise[: SAMPLES * SAMPLE_BYTES])):
        assert pack(raw, end) == pack_matches(raw, end)
        assert len(pack_matches(raw, end)[0]) >= HEAD_BYTES


def test_the_small_way_takes_fewer_bytes_of_both() -> None:
    rng = np.random.default_rng(4)
    noise = memoryview((np.rint(rng.normal(0, 5, 90_000)) % 256).astype(np.uint8).tobytes())
    packs = {name: pack(noise, zlib.Z_FINISH) for name, pack in PACKERS.items()}
    assert packs["small"] == packs["default"]
    again = memoryview(bytes(noise[:9000]) * 9)
    small, usual = (sum(map(len, PACKERS[n](again, zlib.Z_FINISH))) for n in ("small", "default"))
    assert small < usual


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_three_readers_read_a_photograph_of_many_strips(dtype: str) -> None:
    rng = np.random.default_rng(3)
    y, x = np.indices((301, 333))
    scale = 1 if dtype == "uint8" else 201
    slopes = (y * x // 700 + y // 3)[..., None] * scale
    pixels = (slopes + rng.integers(0, 9 * scale, (301, 333, 3))).astype(dtype)
    data = encode_png(pixels, Metadata())
    bodies = [bytes(body) for kind, body, _ in walk(data, "x") if kind == b"IDAT"]
    firsts = zlib.decompressobj().decompress(bodies[0])
    assert bodies[0][2:] == pack_codes(memoryview(firsts), False)
    np.testing.assert_array_equal(imagecodecs.png_decode(data), pixels)
    if dtype == "uint8":
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)


def test_nothing_to_pack_is_refused() -> None:
    for pack in filter(None, (huffman.pack, getattr(extension("_png").module, "pack", None))):
        with pytest.raises(ValueError, match="nothing to pack"):
            pack(memoryview(b""), True)
