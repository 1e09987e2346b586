"""BMP with alpha: read, filtered, and written so that other programs see the alpha."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Request

PIXELS = np.random.default_rng(5).integers(0, 256, (5, 7, 4), np.uint8)


def with_masks(order: str) -> bytes:
    """A BMP of 32 bits whose bytes stand in this order, low byte first."""
    masks = [0xFF << 8 * order.index(channel) for channel in "RGBA"]
    body = PIXELS[::-1, :, ["RGBA".index(channel) for channel in order]].tobytes()
    head = struct.pack("<IiiHHIIii", 108, 7, 5, 1, 32, 3, len(body), 2835, 2835)
    head += struct.pack("<6I", 0, 0, *masks) + struct.pack("<I", 0x73524742) + bytes(48)
    return struct.pack("<2sIHHI", b"BM", 122 + len(body), 0, 0, 122) + head + body


@pytest.mark.parametrize("order", ["BGRA", "RGBA", "ABGR"])
def test_alpha_of_32_bits_comes_back(order: str, tmp_path: Path) -> None:
    (tmp_path / "in.bmp").write_bytes(with_masks(order))
    (report,) = Batch(Request((str(tmp_path / "in.bmp"),), (load_kernel("identity"),))).run()
    written = Image.open(io.BytesIO(Path(report.job.output).read_bytes()))
    assert written.mode == "RGBA"
    assert written.info["dpi"] == pytest.approx((72, 72), abs=0.1)
    np.testing.assert_array_equal(np.asarray(written), PIXELS)
