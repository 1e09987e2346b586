"""Stand-in."""

from cupy._errors import CUDADriverError
