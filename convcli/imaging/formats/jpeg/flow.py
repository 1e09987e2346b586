"""Large JPEGs whose rows are decoded as they are asked for, on a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from convcli.extensions import extension
from convcli.imaging.formats.jpeg.bands import BAND_BYTES, JpegBands, again
from convcli.imaging.formats.jpeg.check import checked_rows
from convcli.imaging.formats.jpeg.large import LargeJpeg, large_frame
from convcli.imaging.formats.jpeg.markers import APP1, PROGRESSIVE, FrameHeader, segments
from convcli.imaging.row_stream import RowStream, is_large
from convcli.system.machine import Buffer

__all__ = ["JpegFlow", "begin_flow"]


def begin_flow(data: bytes, max_pixels: int, *, ahead: bool) -> JpegFlow | None:
    """Begin to decode a gray or colour JPEG with one scan; None leaves it to who decodes it whole.

    ``ahead``: where its rows turn out not to flow, it is decoded whole at once.
    """
    frame = large_frame(data, max_pixels)
    if frame is None or not is_large(frame.height, frame.width):
        return None
    if data[frame.at + 1] == PROGRESSIVE:  # each row is coded in several places
        return None
    if extension("_png").module is None:
        return None
    return JpegFlow(data, frame, ahead)


class JpegFlow:
    """A file on its way: first its codes are followed, then its bands decoded.

    The first needs no NumPy, and takes a third of the time of the second.
    """

    begun: LargeJpeg | None = None
    """The whole of it, where its rows do not flow."""

    def __init__(self, data: bytes, frame: FrameHeader, ahead: bool) -> None:
        self.data, self.frame, self._ahead = data, frame, ahead
        self._bands: JpegBands | None = None
        self._judged = threading.Event()
        row_bytes = frame.width * len(frame.sampling)
        self.stream = RowStream(frame.height, row_bytes, self._rows, again=again(frame))

    def flows(self) -> bool:
        """Whether it does: all its rows are there, can be cut, and need not be turned."""
        self._judged.wait()
        if self._bands is None:
            self.stream.close()
        return self._bands is not None

    def _rows(self, room: Callable[[int], Buffer]) -> Iterator[memoryview]:
        if self._bands is None:
            self._judge()
        if self._bands is not None:
            yield from self._bands.rows(room, BAND_BYTES)

    def _judge(self) -> None:
        try:
            rows = checked_rows(self.data)
            if rows is not None and not _is_turned(self.data):
                self._bands = JpegBands(self.data, self.frame, rows)
        finally:
            if self._bands is None and self._ahead:
                self.begun = LargeJpeg(self.data, self.frame.shape)
            self._judged.set()


def _is_turned(data: bytes) -> bool:
    """Whether the picture is upright only when it is turned."""
    if all(marker != APP1 for marker, _, _ in segments(data)):
        return False
    from convcli.imaging.formats.jpeg.metadata import read_jpeg_metadata
    from convcli.imaging.header import Metadata
    from convcli.imaging.metadata.upright import take_orientation

    meta = Metadata()
    read_jpeg_metadata(data, meta, [])
    return take_orientation(meta, []) != 1
