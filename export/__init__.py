"""From a checkpoint to model files that need no torch, each verified before it is written.

>>> from export.config import ExportConfig
>>> from export.pipeline import export
>>> export("crnn-lite", "onnx", ExportConfig(int8=True)).path
"""
