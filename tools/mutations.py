"""Ways to damage files and texts, all decided by one random generator, so each can be repeated."""

from __future__ import annotations

import random
import struct
import zlib

__all__ = ["damage", "damage_chunks", "damage_scan", "damage_text", "with_right_sums"]

EDGES = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
WORDS = (
    "nan inf -inf 1e999 -1e-999 null true false 0 -0 1/0 0/1 .5 5. 1_0 0x10 ١ − 9999999999999999999 "
    '[ ] { } , ; : | # " \' = \\ / .. - + * x @ ~ "" [] {} [[ ]] \n \r \0 \ufeff \u2028 conv k3 s0 '
    "p-1 d9 same full input 3x224x224 linear add concat weights scale bias 3x3: 0x0: 99999x99999:"
)
TOKENS = [*WORDS.split(" "), "9" * 400, "[" * 300, "\t", "1," * 50]


def damage(data: bytes, rnd: random.Random, others: list[bytes]) -> bytes:
    """One to six small changes to a file: bits, bytes, sizes, pieces lost, moved or foreign."""
    out = bytearray(data)
    for _ in range(rnd.choice((1, 1, 1, 2, 3, 6))):
        at = (
            rnd.randrange(len(out) + 1)
            if rnd.random() < 0.6
            else rnd.randrange(min(len(out), 64) + 1)
        )
        length = rnd.choice((1, 2, 4, 8, 64, 1024))
        kind = rnd.randrange(9)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << rnd.randrange(8)
        elif kind == 1 and at < len(out):
            out[at] = rnd.randrange(256)
        elif kind == 2:
            order = rnd.choice(("<H", ">H", "<I", ">I"))
            value = rnd.choice(EDGES) & (0xFFFF if order[1] == "H" else 0xFFFFFFFF)
            packed = struct.pack(order, value)
            out[at : at + len(packed)] = packed
        elif kind == 3:
            del out[at : at + length]
        elif kind == 4:
            out[at:at] = out[at : at + length]
        elif kind == 5:
            out[at:at] = rnd.randbytes(length)
        elif kind == 6:
            other = rnd.choice(others)
            start = rnd.randrange(len(other) + 1)
            out[at : at + length] = other[start : start + length]
        elif kind == 7:
            del out[at:]
        else:
            out[at : at + length] = bytes([rnd.choice((0, 255))]) * length
    return bytes(out)


def damage_text(text: str, rnd: random.Random, others: list[str]) -> str:
    """One to six small changes to a text: tokens put in, pieces lost, doubled or foreign."""
    for _ in range(rnd.choice((1, 1, 2, 3, 6))):
        at, length = rnd.randrange(len(text) + 1), rnd.choice((1, 1, 2, 5, 20))
        kind = rnd.randrange(6)
        if kind < 2:
            text = text[:at] + rnd.choice(TOKENS) + text[at + (kind and length) :]
        elif kind == 2:
            text = text[:at] + text[at + length :]
        elif kind == 3:
            text = text[:at] + text[at : at + length] * rnd.choice((2, 2, 30)) + text[at + length :]
        elif kind == 4:
            other = rnd.choice(others)
            start = rnd.randrange(len(other) + 1)
            text = text[:at] + other[start : start + length] + text[at:]
        else:
            text = text[:at] + chr(rnd.choice((0, 9, 32, 127, 233, 0x2212, 0x1F600))) + text[at:]
    return text


def damage_chunks(png: bytes, rnd: random.Random) -> bytes:
    """A PNG whose chunks are changed as wholes: lost, doubled, moved, cut, their pixels unfolded."""
    chunks, at = [], 8
    while at + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        chunks.append([png[at + 4 : at + 8], png[at + 8 : at + 8 + length]])
        at += 12 + length
    for _ in range(rnd.choice((1, 1, 2, 3))):
        kind, i = rnd.randrange(8), rnd.randrange(len(chunks))
        name, body = chunks[i]
        if kind == 0 and len(chunks) > 1:
            del chunks[i]
        elif kind == 1:
            chunks.insert(rnd.randrange(len(chunks) + 1), [name, body])
        elif kind == 2:
            chunks.insert(rnd.randrange(len(chunks)), chunks.pop(i))
        elif kind == 3:
            cut = rnd.randrange(len(body) + 1)
            chunks[i : i + 1] = [[name, body[:cut]], [name, body[cut:]]]
        elif kind == 4:
            chunks[i] = [name, (body + rnd.randbytes(3))[: rnd.randrange(len(body) + 4)]]
        elif kind == 5:
            new = rnd.choice(
                (b"tEXt", b"ABCD", b"abCd", b"PLTE", b"tRNS", b"IDAT", b"IHDR", b"IEND")
            )
            size = rnd.choice((0, 1, 2, 3, 6, 48))
            chunks.insert(rnd.randrange(len(chunks) + 1), [new, rnd.randbytes(size)])
        elif kind == 6 and body:
            put = rnd.randrange(len(body))
            chunks[i] = [name, body[:put] + bytes([rnd.randrange(256)]) + body[put + 1 :]]
        else:
            chunks = _other_pixels(chunks, rnd)
    out = b"".join(struct.pack(">I", len(b)) + n + b + bytes(4) for n, b in chunks)
    return with_right_sums(png[:8] + out)


def _other_pixels(chunks: list[list[bytes]], rnd: random.Random) -> list[list[bytes]]:
    """More or fewer bytes of rows, or others, folded anew."""
    where = [i for i, (name, _) in enumerate(chunks) if name == b"IDAT"]
    try:
        raw = bytearray(zlib.decompressobj().decompress(b"".join(chunks[i][1] for i in where)))
    except zlib.error:
        return chunks
    if not where or not raw:
        return chunks
    kind, at = rnd.randrange(3), rnd.randrange(len(raw))
    if kind == 0:
        del raw[at:]
    elif kind == 1:
        raw += rnd.randbytes(rnd.choice((1, 2, 50)))
    else:
        raw[at] = rnd.randrange(256)
    packed = zlib.compressobj(rnd.randrange(10), zlib.DEFLATED, rnd.choice((9, 12, 15, 15)))
    new = [b"IDAT", packed.compress(raw) + packed.flush()]
    return [new if i == where[0] else c for i, c in enumerate(chunks) if i not in where[1:]]


def damage_scan(jpeg: bytes, rnd: random.Random) -> bytes:
    """A JPEG whose coded data lack something, have too much or another restart marker."""
    start = jpeg.find(b"\xff\xda") + 14
    if start < 14 or start + 4 > len(jpeg):
        return jpeg
    out = bytearray(jpeg)
    at = rnd.randrange(start, len(out) - 1)
    kind, size = rnd.randrange(5), rnd.choice((1, 2, 9, 100, 1 << 20))
    if kind == 0:
        out[at:-2] = b""
    elif kind == 1:
        del out[at : min(at + size, len(out) - 2)]
    elif kind == 2:
        out[at:at] = rnd.randbytes(min(size, 100)).replace(b"\xff", b"\0")
    elif kind == 3:
        out[at] ^= 1 << rnd.randrange(8)
    else:
        markers = [
            i for i in range(start, len(out) - 1) if out[i] == 255 and 208 <= out[i + 1] < 216
        ]
        if markers:
            out[rnd.choice(markers) + 1] = 208 + rnd.randrange(8)
    return bytes(out)


def with_right_sums(png: bytes) -> bytes:
    """A PNG whose chunks have their right checksums, so that damage gets past them."""
    out, at = bytearray(png), 8
    while at + 12 <= len(out):
        (length,) = struct.unpack_from(">I", out, at)
        end = at + 12 + length
        if end > len(out):
            break
        struct.pack_into(">I", out, end - 4, zlib.crc32(out[at + 4 : end - 4]))
        at = end
    return bytes(out)
