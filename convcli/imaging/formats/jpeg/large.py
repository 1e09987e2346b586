"""Decoding large JPEGs on a thread of their own, while the rest of the program gets ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from convcli.imaging.formats.jpeg.markers import EOI, FrameHeader, frame_header
from convcli.system.threads import Thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LargeJpeg", "begin_jpeg", "decoder", "large_frame"]

LARGE = 1 << 20
"""Pixels from which on this pays: below, a thread and the import cost what they save."""


def decoder() -> Callable[..., Any]:
    """The function that decodes, imported."""
    import imagecodecs

    return cast("Callable[..., Any]", imagecodecs.jpeg8_decode)


def large_frame(data: bytes, max_pixels: int) -> FrameHeader | None:
    """The frame header of a large gray or colour JPEG that ends as it should; None of others.

    libjpeg fills in what is missing of a file that was cut, without a word, so one that does not
    end with its end mark is left to Pillow, which refuses it.
    """
    frame = frame_header(data)
    if frame is None or frame.bits != 8 or len(frame.sampling) not in (1, 3):
        return None
    whole = data[-256:].rstrip(b"\0").endswith(bytes((0xFF, EOI)))
    return frame if whole and LARGE <= frame.width * frame.height <= max_pixels else None


def begin_jpeg(data: bytes, max_pixels: int) -> LargeJpeg | None:
    """Begin to decode a :func:`large_frame`; None leaves it to Pillow."""
    frame = large_frame(data, max_pixels)
    return None if frame is None else LargeJpeg(data, frame.shape)


class LargeJpeg:
    """Pixels that are being decoded.

    Measured at 24 megapixels: `imagecodecs` takes 57 ms to an array, Pillow 190, with identical
    pixels. It holds no lock meanwhile, so importing Pillow and reading the metadata, 30 ms, are
    done beside it.
    """

    def __init__(self, data: bytes, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self._result: Any = None
        self._error: Exception | None = None
        self._thread = Thread(target=self._decode, args=(data,), name="convcli-jpeg")
        self._thread.start()

    def _decode(self, data: bytes) -> None:
        try:
            self._result = decoder()(data)
        except Exception as error:  # raised where the pixels are asked for
            self._error = error

    def pixels(self) -> NDArray[Any] | None:
        """The pixels (H, W, C) when they are done, or None if they are not what the header said.

        Raises
        ------
        Exception
            What the decoder raised.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        matches = self._result.shape == self.shape[: self._result.ndim]
        fits = matches and self._result.size == self.shape[0] * self.shape[1] * self.shape[2]
        return self._result.reshape(self.shape) if fits else None
