"""A checkpoint as a `.tflite` file: `python -m export.tflite`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from export.cli import main
from quantize.formats.tflite import write
from quantize.formats.tflite.lower import relu_first, to_flatbuffer

if TYPE_CHECKING:
    from model.network.checkpoint import Checkpoint


def convert(checkpoint: Checkpoint, target: Path) -> None:
    """Write a checkpoint as an FP32 TFLite file, unverified.

    Args:
        checkpoint: The network and its manifest.
        target: The file to write.
    """
    from export.lowering import lower_model

    preprocess = checkpoint.manifest.preprocess
    layers = relu_first(lower_model(checkpoint.model))
    flatbuffer = to_flatbuffer(layers, preprocess.height, preprocess.width_multiple)
    write(flatbuffer, checkpoint.exported("TFLite schema 3"), target)


if __name__ == "__main__":
    sys.exit(main("tflite"))
