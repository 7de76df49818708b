"""Models for other programs: ONNX, skops, and the words that describe them."""
