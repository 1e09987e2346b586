"""Rows of a picture that a thread makes in order while others use them. It needs no NumPy.

Memory: while the program starts, those that are made ahead take at most ``FIRST_BYTES``; once rows
are asked for, and parts made of them take room, no more are made until they take ``AHEAD_BYTES``.
Those behind are kept as far back as their reader asks for. Room that is left is used again, since
fresh memory has to be cleared.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias

from convcli.errors import ConvcliError

__all__ = ["FLOWING", "DoesNotFlow", "Make", "RowStream"]

FIRST_BYTES = 24 << 20
"""Most bytes of rows before anybody has asked for some. Decoding a PNG of 24 megapixels takes about
as long as the program's start: with a third of it ahead, two processors hardly wait for each other."""
AHEAD_BYTES = 6 << 20
"""Most bytes of rows that nobody has asked for yet, later."""
FLOWING = 1 << 22
"""Pixels of a picture from which on bands of it are worth their threads."""
PATIENCE = 0.1
"""Seconds after which a thread that waits asks whether the program still runs."""

Make: TypeAlias = "Callable[[Callable[[int], bytearray]], Iterator[memoryview]]"
"""Makes all rows from the first on, some at a time, in room that it asks for, or in its own."""


class DoesNotFlow(ConvcliError):
    """Rows stop coming: the file is damaged or unlike its beginning. Decoded whole, it is judged."""


class RowStream:
    """Rows of ``row_bytes`` bytes, as they are made.

    Parameters
    ----------
    make
        Called anew to begin at the first row; it is called once, and again where rows are asked
        for that are no longer there.
    name
        Of the file, for messages.
    """

    def __init__(self, height: int, row_bytes: int, make: Make, name: str = "picture") -> None:
        self.height, self.row_bytes, self.name = height, row_bytes, name
        self._make = make
        self._changed = threading.Condition()
        self._spare: list[bytearray] = []
        self._begin()

    def _begin(self) -> None:
        self._bands: deque[tuple[int, int, memoryview]] = deque()  # first row, their number, rows
        self._made = self._asked = 0
        self._stopped = False
        self._error: BaseException | None = None
        # No daemon, which would be frozen wherever it is when the program ends.
        self._thread = threading.Thread(target=self._work, name="convcli-rows")
        self._thread.start()

    def rows(self, start: int, stop: int, hold: int = 0) -> Iterator[tuple[int, memoryview]]:
        """Rows in pieces, each with the number of its first; they stay as they are until the next call.

        ``hold``: rows before these that may be asked for again. What is before those is let go.

        Raises
        ------
        DoesNotFlow
            If they cannot be made.
        """
        with self._changed:
            gone = self._bands[0][0] if self._bands else self._made
        if start < gone:
            self.close()
            self._begin()
        with self._changed:
            self._asked = max(self._asked, stop)
            self._leave(start - hold)
            self._changed.notify_all()
            while self._made < stop and self._error is None and self._thread.is_alive():
                self._leave(start - hold)
                self._changed.wait(PATIENCE)
            self._leave(start - hold)
            if self._made < stop:
                raise DoesNotFlow(f"{self.name}: it cannot be decoded") from self._error
            bands = list(self._bands)
        size = self.row_bytes
        for first, count, rows in bands:
            top, bottom = max(start, first), min(stop, first + count)
            if top < bottom:
                yield top, rows[(top - first) * size : (bottom - first) * size]

    def _leave(self, row: int) -> None:
        """Let go of the bands before a row."""
        while self._bands and sum(self._bands[0][:2]) <= row:
            _, _, rows = self._bands.popleft()
            here = sum(len(rows) for _, _, rows in self._bands)
            if isinstance(rows.obj, bytearray) and here < AHEAD_BYTES:
                self._spare.append(rows.obj)

    def close(self) -> None:
        """End the thread; more than once is as good as once."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def room(self, size: int) -> bytearray:
        """Room for rows, which comes back when they are let go."""
        with self._changed:
            for index, spare in enumerate(self._spare):
                if len(spare) == size:
                    return self._spare.pop(index)
        return bytearray(size)

    def _work(self) -> None:
        try:
            for rows in self._make(self.room):
                if not self._put(rows):
                    return
            if self._made != self.height:
                raise ValueError("rows are missing")
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._changed.notify_all()

    def _put(self, rows: memoryview) -> bool:
        """Hand rows on, and wait while there are enough; whether to go on."""
        with self._changed:
            count = len(rows) // self.row_bytes
            self._bands.append((self._made, count, rows))
            self._made += count
            self._changed.notify_all()
            while not self._stopped and self._is_enough():
                self._changed.wait(PATIENCE)
                if not threading.main_thread().is_alive():  # a program that ends waits for threads
                    self._stopped = True
            return not self._stopped

    def _is_enough(self) -> bool:
        most = AHEAD_BYTES if self._asked else FIRST_BYTES
        return self._made > self._asked and (self._made - self._asked) * self.row_bytes >= most
