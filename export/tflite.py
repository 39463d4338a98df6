"""A checkpoint as a `.tflite` file: `python -m export.tflite`."""

from __future__ import annotations

import sys
from pathlib import Path

from export import cli
from export.lowering import lower as layers_of
from model.network.checkpoint import Checkpoint
from quantize.tflite import FORMAT, write
from quantize.tflite_lower import lower, relu_first


def convert(checkpoint: Checkpoint, target: Path) -> None:
    """Write a checkpoint as an FP32 TFLite file, unverified.

    Args:
        checkpoint: The network and its manifest.
        target: The file to write.
    """
    preprocess = checkpoint.manifest.preprocess
    layers = relu_first(layers_of(checkpoint.model))
    flatbuffer = lower(layers, preprocess.height, preprocess.width_multiple)
    write(flatbuffer, checkpoint.exported("TFLite schema 3"), target)


if __name__ == "__main__":
    sys.exit(cli.main(FORMAT, convert))
