"""CuPy 14 makes the folder of its compiled kernels while it is imported, and fails where it cannot."""

import os
from pathlib import Path

Path(os.environ.get("CUPY_CACHE_DIR", "~/.cupy/kernel_cache")).expanduser().mkdir(
    parents=True, exist_ok=True
)
