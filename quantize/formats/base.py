"""What is known of every file format; `quantize.formats.X.FORMAT` describes format X."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crnn_edge.manifest import Manifest


@dataclass(frozen=True)
class ModelFormat:
    """A file format for models.

    Attributes:
        name: The name in commands, such as `onnx`.
        suffix: The suffix of model files, such as `.onnx`.
        replace_manifest: Writes a model file again with another manifest, and with the checksum
            that belongs to it.
    """

    name: str
    suffix: str
    replace_manifest: Callable[[Path, Manifest], None]
