"""How to install what is missing: the one place that says it.

The package is on no index yet, so a hint names a clone or the wheel's file.
"""

from __future__ import annotations

EXTRA_OF_MODULE = {
    "PIL": "images",
    "cv2": "camera",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "ai_edge_litert": "tflite",
    "flatbuffers": "tflite",
    "onnx": "quantize",
    "torch": "train",
    "safetensors": "train",
    "lmdb": "train",
    "matplotlib": "train",
    "fontTools": "train",
    "verovio": "music",
    "resvg_py": "music",
}
"""The smallest extra of `pyproject.toml` that brings a module."""


def install_hint(extra: str) -> str:
    """The command that installs an extra, from a clone and from a wheel's file."""
    return (
        f"pip install '.[{extra}]' in a clone, or pip install "
        f"'crnn_edge-VERSION-py3-none-any.whl[{extra}]' with the wheel's file"
    )


def missing_module_message(module: str, extra: str | None = None) -> str | None:
    """One line about a module that cannot be imported; None for one that no extra brings.

    Args:
        module: Its name, as `ModuleNotFoundError.name` has it.
        extra: The extra that brings all that the command needs; None for the smallest one that
            brings the module.
    """
    package = module.partition(".")[0]
    if package not in EXTRA_OF_MODULE:
        return None
    return f"{package} is not installed: {install_hint(extra or EXTRA_OF_MODULE[package])}"
