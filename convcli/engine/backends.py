"""Which backend computes, and why. CuPy is imported only when it is asked for by name."""

from __future__ import annotations

from importlib.util import find_spec

from convcli.errors import BackendError

__all__ = ["BACKENDS", "pick_backend"]

BACKENDS = ("auto", "numpy", "cupy")


def pick_backend(name: str) -> tuple[str, str]:
    """Resolve a backend's name, with the reason for the choice.

    Raises
    ------
    BackendError
        If the name is unknown, or the backend cannot run on this machine.

    >>> pick_backend("numpy")
    ('numpy', 'asked for')
    """
    if name not in BACKENDS:
        raise BackendError(f"backend {name!r} is not known; allowed: {', '.join(BACKENDS)}")
    if name == "numpy":
        return "numpy", "asked for"
    if name == "cupy":
        from convcli.engine.gpu.device import require_device

        return "cupy", f"asked for; {require_device()}"
    if find_spec("cupy") is None:
        return "numpy", "CuPy is not installed"
    return "numpy", "one picture is done sooner on the CPU than CuPy takes to start"
