"""Rows of a picture that a thread makes in order while others use them. It needs no NumPy.

Memory: while the program starts, those that are made ahead take at most ``FIRST_BYTES``; once rows
are asked for, and parts made of them take room, no more are made until they take ``AHEAD_BYTES``.
Those behind are let go as they are used, but for what their reader may ask for again. Room that is
left is used again, since fresh memory has to be cleared.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias, cast

from convcli.errors import ConvcliError
from convcli.system.machine import Buffer, fresh_memory
from convcli.system.threads import Thread

__all__ = ["FLOWING", "DoesNotFlow", "Make", "RowStream", "is_large"]

FIRST_BYTES = 24 << 20
"""Most bytes of rows before anybody has asked for some. Decoding a PNG of 24 megapixels takes about
as long as the program's start: with a third of it ahead, two processors hardly wait for each other."""
AHEAD_BYTES = 4 << 20
"""Most bytes of rows that nobody has asked for yet, later."""
SPARE_BYTES = 2 << 20
"""Most bytes of room that waits to be used again."""
FLOWING = 1 << 22
"""Pixels of a picture from which on bands of it are worth their threads."""
PATIENCE = 0.1
"""Seconds after which a thread that waits asks whether the program still runs."""

Make: TypeAlias = "Callable[[Callable[[int], Buffer]], Iterator[memoryview]]"
"""Makes all rows from the first on, some at a time, in room that it asks for, or in its own."""


def is_large(height: int, width: int) -> bool:
    """Whether bands of a picture are worth their threads."""
    return height * width >= FLOWING


class DoesNotFlow(ConvcliError):
    """A picture is to be decoded whole after all; nothing was written.

    Rows stop coming, since the file is damaged or unlike its beginning, or a plan wants all of them.
    """


class RowStream:
    """Rows of ``row_bytes`` bytes, as they are made.

    Parameters
    ----------
    make
        Called anew to begin at the first row; it is called once, and again where rows are asked
        for that are no longer there.
    name
        Of the file, for messages.
    again
        Rows of a band that the next one begins with once more.
    """

    def __init__(
        self, height: int, row_bytes: int, make: Make, name: str = "picture", again: int = 0
    ) -> None:
        self.height, self.row_bytes, self.name, self.again = height, row_bytes, name, again
        self._make = make
        self._changed = threading.Condition()
        self._spare: list[Buffer] = []
        self._kind: type = bytearray
        self._begin()

    def _begin(self) -> None:
        self._bands: deque[tuple[int, int, memoryview]] = deque()  # first row, their number, rows
        self._made, self._asked = 0, -1  # the row that is asked for; nobody has yet
        self._stopped = False
        self._error: BaseException | None = None
        # No daemon, which would be frozen wherever it is when the program ends.
        self._thread = Thread(target=self._work, name="convcli-rows")
        self._thread.start()

    def rows(self, start: int, stop: int, keep: int) -> Iterator[tuple[int, memoryview]]:
        """Rows in pieces, each with the number of its first, which stay as they are until the next.

        ``keep``: the first row that may be asked for again. What is before it is let go when it has
        been used.

        Raises
        ------
        DoesNotFlow
            If they cannot be made.
        """
        if start < self._first_there():
            self.close()
            self._begin()
        size, row = self.row_bytes, start
        while row < stop:
            first, count, rows = self._band_of(row, min(row, keep))
            bottom = min(stop, first + count)
            yield row, rows[(row - first) * size : (bottom - first) * size]
            row = bottom
        with self._changed:
            self._asked = max(self._asked, stop)
            self._leave(min(stop, keep))
            self._changed.notify_all()

    def band(self, start: int, stop: int, keep: int) -> tuple[int, memoryview] | None:
        """A band that has all of these rows: the number of its first, and its rows.

        They stay as they are as long as somebody looks at them. None where bands do not overlap, and
        of rows that lie in no one band or are gone.

        Raises
        ------
        DoesNotFlow
            If they cannot be made.
        """
        if not self.again or start < self._first_there():
            return None
        first, count, rows = self._band_of(start, min(start, keep))
        if first + count < stop:
            first, count, rows = self._band_of(stop - 1, min(start, keep))
        if first > start or first + count < stop:
            return None
        with self._changed:
            self._asked = max(self._asked, stop)
            self._changed.notify_all()
        return first, rows

    def _first_there(self) -> int:
        with self._changed:
            return self._bands[0][0] if self._bands else self._made

    def _band_of(self, row: int, keep: int) -> tuple[int, int, memoryview]:
        """The band of a row, when it has been made; those before another are let go."""
        with self._changed:
            self._asked = max(self._asked, row)
            while True:
                self._leave(keep)
                self._changed.notify_all()
                if row < self._made:
                    return next(b for b in self._bands if row < sum(b[:2]))
                if self._error is not None or not self._thread.is_alive():
                    raise DoesNotFlow(f"{self.name}: it cannot be decoded") from self._error
                self._changed.wait(PATIENCE)

    def _leave(self, row: int) -> None:
        """Let go of the bands before a row; some of their room is used again."""
        while self._bands and sum(self._bands[0][:2]) <= row:
            room = self._bands.popleft()[2].obj
            # Bands that overlap are given away, and nobody says when they are looked at no longer.
            few = not self.again and sum(map(len, self._spare)) < SPARE_BYTES
            if few and isinstance(room, self._kind):
                self._spare.append(cast("Buffer", room))

    def close(self) -> None:
        """End the thread; more than once is as good as once."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def room(self, size: int) -> Buffer:
        """Room for rows, which comes back when they are let go.

        Of the system's own, to which it goes back at once: what a thread frees stays its own.
        """
        with self._changed:
            for index, spare in enumerate(self._spare):
                if len(spare) == size:
                    return self._spare.pop(index)
        room = fresh_memory(size)
        self._kind = type(room)
        return room

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
            first = max(self._made - self.again, 0)
            self._bands.append((first, count, rows))
            self._made = first + count
            self._changed.notify_all()
            while not self._stopped and self._is_enough():
                self._changed.wait(PATIENCE)
                if not threading.main_thread().is_alive():  # a program that ends waits for threads
                    self._stopped = True
            return not self._stopped

    def _is_enough(self) -> bool:
        most = FIRST_BYTES if self._asked < 0 else AHEAD_BYTES
        return self._made > self._asked and (self._made - self._asked) * self.row_bytes >= most
