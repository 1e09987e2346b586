"""From the filtered rows of a strip to deflated bytes, by whichever way suits them.

What the row filters leave of a photograph hardly repeats, and Huffman codes alone pack it three
times as fast as ISA-L's level 1, in 1 to 14 % fewer bytes: a match is taken before the code is
known, and of three or four bytes it often costs more than those. What does repeat (drawings, screens,
8 bits stored as 16) goes to ISA-L. A sample of each strip is packed both ways to see which it is.
"""

from __future__ import annotations

import zlib

from isal import isal_zlib

from convcli.extensions import extension

__all__ = ["PACKERS"]

SAMPLES, SAMPLE_BYTES = 4, 1 << 12
"""So many pieces of a strip are tried, of so many bytes; a strip of no more goes to ISA-L."""
HEAD_BYTES = 8
"""Bytes at the head of each strip that ISA-L packs as a block of their own: 7 bytes more a strip.

Why: packing the first byte of a stream, its ``isal_deflate_icf_body`` for x86-64 (as of 2.32.1)
enters position 2 into the hash table under the hash of a register that should hold the data and
holds the address of the compressor, less its last 16 bits. Where this happens to be the hash of
the first four bytes, they are forgotten, and what repeats them is packed otherwise: other bytes for
the same pixels, once in thousands of strips, by where the memory lay. A block of few bytes that is
flushed goes through ``isal_deflate_icf_finish``, which does it rightly, and what comes next is no
longer the first.
"""


def _pack(raw: memoryview, end: int) -> list[bytes]:
    """By Huffman codes alone, unless matches would save more than a fiftieth."""
    if len(raw) > SAMPLES * SAMPLE_BYTES:
        apart = (len(raw) - SAMPLE_BYTES) // (SAMPLES - 1)
        pieces = [raw[apart * n :][:SAMPLE_BYTES] for n in range(SAMPLES)]
        sample = memoryview(b"".join(pieces))
        matched = sum(map(len, pack_matches(sample, zlib.Z_FINISH)))
        if 50 * len(pack_codes(sample, True)) <= 51 * matched:
            return [pack_codes(raw, end == zlib.Z_FINISH)]
    return pack_matches(raw, end)


def pack_codes(raw: memoryview, last: bool) -> bytes:
    """Deflated by Huffman codes alone, in compiled loops or, to the same bytes, without."""
    loops = extension("_png").module
    if loops is not None:
        packed: bytes = loops.pack(raw, last)
        return packed
    from convcli.imaging.formats.png.huffman import pack

    return pack(raw, last)


def pack_matches(raw: memoryview, end: int) -> list[bytes]:
    """Deflated by ISA-L at its level 1.

    Levels 2 and 3 are slower and, on filtered photographs, no smaller; level 0 is no faster and
    1.7 times as large.
    """
    deflate = isal_zlib.compressobj(1, zlib.DEFLATED, -15)
    head = deflate.compress(raw[:HEAD_BYTES]) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return [head, deflate.compress(raw[HEAD_BYTES:]), deflate.flush(end)]


def _pack_small(raw: memoryview, end: int) -> list[bytes]:
    """By zlib's longest search or by codes alone, whichever gives fewer bytes."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_FILTERED)
    matched = [deflate.compress(raw), deflate.flush(end)]
    codes = pack_codes(raw, end == zlib.Z_FINISH)
    return [codes] if len(codes) < sum(map(len, matched)) else matched


PACKERS = {"default": _pack, "small": _pack_small}
"""From a strip and how it ends (``Z_FULL_FLUSH``, ``Z_FINISH``) to its deflated parts."""
