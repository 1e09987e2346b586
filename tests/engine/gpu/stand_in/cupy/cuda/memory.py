"""Stand-in."""

from cupy._errors import OutOfMemoryError
from cupy._memory import MemoryPointer, MemoryPool
