"""A checkpoint as an `.npz` file for NumPy alone: `python -m export.numpy`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from export import cli
from export.lowering import lower
from model.network.checkpoint import Checkpoint
from quantize.numpy import FORMAT, pack, write


def convert(checkpoint: Checkpoint, target: Path) -> None:
    """Write a checkpoint as an FP32 `.npz` file, unverified.

    Args:
        checkpoint: The network and its manifest.
        target: The file to write.
    """
    write(pack(lower(checkpoint.model)), checkpoint.exported(f"NumPy {np.__version__}"), target)


if __name__ == "__main__":
    sys.exit(cli.main(FORMAT, convert))
