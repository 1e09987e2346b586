"""Large JPEGs whose rows are decoded as they are asked for, on a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from convcli.imaging import row_stream
from convcli.imaging.formats.jpeg.bands import BAND_BYTES, JpegBands
from convcli.imaging.formats.jpeg.check import checked_rows
from convcli.imaging.formats.jpeg.large import large_frame
from convcli.imaging.formats.jpeg.markers import PROGRESSIVE, FrameHeader
from convcli.imaging.row_stream import DoesNotFlow, RowStream

__all__ = ["JpegFlow", "begin_flow"]


def begin_flow(data: bytes, max_pixels: int) -> JpegFlow | None:
    """Begin to decode a gray or colour JPEG with one scan; None leaves it to who decodes it whole."""
    frame = large_frame(data, max_pixels)
    if frame is None or frame.width * frame.height < row_stream.FLOWING:
        return None
    if data[frame.at + 1] == PROGRESSIVE:  # each row is coded in several places
        return None
    return JpegFlow(data, frame)


class JpegFlow:
    """A file on its way: first its codes are followed, then its bands decoded.

    The first needs no NumPy, and takes a third of the time of the second.
    """

    def __init__(self, data: bytes, frame: FrameHeader) -> None:
        self.data = data
        self.frame = frame
        self._bands: JpegBands | None = None
        self._judged = threading.Event()
        self.stream = RowStream(frame.height, frame.width * len(frame.sampling), self._rows)

    def judged(self) -> None:
        """Wait until it is known whether all its rows are there.

        Raises
        ------
        DoesNotFlow
            If they are not, or are coded in a way that cannot be cut.
        """
        self._judged.wait()
        if self._bands is None:
            raise DoesNotFlow("it is decoded whole")

    def _rows(self, room: Callable[[int], bytearray]) -> Iterator[memoryview]:
        try:
            if self._bands is None and (rows := checked_rows(self.data)) is not None:
                self._bands = JpegBands(self.data, self.frame, rows)
        finally:
            self._judged.set()
        if self._bands is not None:
            yield from self._bands.rows(room, BAND_BYTES)
