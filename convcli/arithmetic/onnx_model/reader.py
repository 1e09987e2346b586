"""ONNX files: read without their weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from convcli.errors import InputError, ShapeError

if TYPE_CHECKING:
    from convcli.arithmetic.onnx_model.model import OnnxModel

__all__ = ["read_onnx"]


def read_onnx(path: Path) -> OnnxModel:
    """Read a model. Weights in external files are not opened, stored ones are let go.

    Raises
    ------
    InputError
        If the file cannot be read or is no ONNX model.
    ShapeError
        If the extra is missing, or the model has no inputs or no layers.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise ShapeError(
            f"{path}: reading ONNX needs the onnx package; pip install 'convcli[onnx]'"
        ) from None
    from convcli.arithmetic.onnx_model.model import OnnxModel
    from convcli.arithmetic.onnx_model.tensors import drop_weights

    try:
        model = onnx.load(str(path), load_external_data=False)
        drop_weights(model.graph)
        if model.functions:
            import onnx.inliner

            model = onnx.inliner.inline_local_functions(model)
        return OnnxModel(model, path.stem)
    except ShapeError as error:
        raise ShapeError(f"{path}: {error}") from None
    except OSError:
        raise
    except Exception as error:  # protobuf and onnx have their own kinds of error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: not a readable ONNX model: {reason}") from error
