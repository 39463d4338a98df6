"""A checkpoint as an `.npz` file for NumPy alone: `python -m export.numpy`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.cli import main
from quantize.formats.numpy import to_arrays, write

if TYPE_CHECKING:
    from model.network.checkpoint import Checkpoint


def convert(checkpoint: Checkpoint, target: Path) -> None:
    """Write a checkpoint as an FP32 `.npz` file, unverified.

    Args:
        checkpoint: The network and its manifest.
        target: The file to write.
    """
    from export.lowering import lower_model

    arrays = to_arrays(lower_model(checkpoint.model))
    write(arrays, checkpoint.exported(f"NumPy {np.__version__}"), target)


if __name__ == "__main__":
    sys.exit(main("numpy"))
