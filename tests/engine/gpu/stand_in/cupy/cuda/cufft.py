"""Stand-in; loaded when the first transform is made."""

from cupy._errors import CuFFTError
