"""Stand-in."""

from cupy._compiling import compile_using_nvrtc
from cupy._errors import CompileException
