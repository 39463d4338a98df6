"""The smallest runs that train: what their tests share."""

from __future__ import annotations

from pathlib import Path

import torch

from model.checkpoint import read_safetensors
from model.settings import LAST


def options(numbers: Path, out: Path, *more: str) -> list[str]:
    """A command line that trains on `numbers`, in one process and on one thread."""
    base = f"--out {out} --data {numbers} --synth 0 --eval {numbers} --charset 0123456789 --batch 2"
    return [*base.split(), *["--workers", "0", "--precision", "fp32", "--threads", "1"], *more]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return read_safetensors(run / LAST)[0]
