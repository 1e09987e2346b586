"""Networks from files: TOML and JSON as docs/networks.md describes them, and ONNX."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convcli.arithmetic.layer_model import LayerModel, parse_shape
from convcli.arithmetic.network_graph import build_graph
from convcli.arithmetic.vocabulary import KINDS
from convcli.errors import InputError, ShapeError, did_you_mean

if TYPE_CHECKING:
    from convcli.arithmetic.onnx_model.model import OnnxModel

__all__ = ["builtin_names", "load_model"]

FOLDER = Path(__file__).parent / "networks"
SUFFIXES = (".toml", ".json", ".onnx")
KEYS = ("title", "source", "input", "layers", "blocks")
MAX_BYTES = 10_000_000


def builtin_names() -> tuple[str, ...]:
    """Names of the built-in networks."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_model(name: str) -> LayerModel | OnnxModel:
    """A built-in network, a file, or a chain: see ``Network.load``."""
    if name.lower() in builtin_names():
        return _from_text(FOLDER / f"{name.lower()}.toml", name.lower())
    path = Path(name)
    if path.suffix.lower() == ".onnx":
        from convcli.arithmetic.onnx_model.reader import read_onnx

        _refuse_what_is_no_file(path)
        return read_onnx(path)
    if path.suffix.lower() in SUFFIXES:
        return _from_text(path, path.stem)
    if _looks_like_a_chain(name):
        return LayerModel.parse(name)
    hint = did_you_mean(name.lower(), builtin_names())
    raise ShapeError(
        f"no network {name!r}{hint}; give one of {', '.join(builtin_names())}, a file "
        f"({', '.join(SUFFIXES)}), or a chain such as 'conv 64 k3 p1 | relu'"
    )


def _looks_like_a_chain(text: str) -> bool:
    text = text.strip()
    return any(mark in text for mark in " |[\n") or text.lower() in KINDS


def _from_text(path: Path, title: str) -> LayerModel:
    data = _read(path)
    if not isinstance(data, dict):
        raise ShapeError(f"{path}: a network is a table with 'layers'")
    for key in data:
        if key not in KEYS:
            hint = did_you_mean(key, KEYS)
            raise ShapeError(f"{path}: unknown key {key!r}{hint}; there are {', '.join(KEYS)}")
    layers, blocks = data.get("layers"), data.get("blocks", {})
    if not isinstance(layers, (str, list)) or not layers:
        raise ShapeError(f"{path}: 'layers' must be a chain or a list of layers")
    if not isinstance(blocks, dict):
        raise ShapeError(f"{path}: 'blocks' must be a table of chains")
    try:
        shape = parse_shape(data["input"]) if "input" in data else None
        return LayerModel(
            build_graph([layers] if isinstance(layers, str) else layers, blocks),
            title=str(data.get("title", title)),
            input_shape=shape,
            source=str(data.get("source", "")),
        )
    except ShapeError as error:
        raise ShapeError(f"{path}: {error}") from None


def _read(path: Path) -> Any:
    _refuse_what_is_no_file(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    if len(raw) > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES} bytes, which no network needs")
    try:
        text = raw.decode("utf-8-sig")
        if path.suffix.lower() == ".json":
            return json.loads(text, object_pairs_hook=_no_duplicates)
        import tomllib

        return tomllib.loads(text)
    except RecursionError:
        raise ShapeError(f"{path}: nested too deeply") from None
    except ValueError as error:  # also what tomllib, json and the decoder raise
        raise ShapeError(f"{path}: {error}") from None


def _refuse_what_is_no_file(path: Path) -> None:
    """Refuse a folder, a pipe or a device before it is opened, where reading could hang."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: not a regular file")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is given twice")
        found[key] = value
    return found
