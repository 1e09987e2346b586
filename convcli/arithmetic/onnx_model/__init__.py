"""Networks from ONNX files; needs the ``onnx`` extra."""
