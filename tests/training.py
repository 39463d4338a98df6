"""The smallest runs that train: what their tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from crnn_edge.charset import Charset
from crnn_edge.manifest import Manifest
from model.network.checkpoint import save_checkpoint
from model.network.config import NetworkConfig
from model.network.crnn import CRNN
from model.network.safetensors_file import read_safetensors
from model.training.config import LAST

DIGITS = Charset(tuple("0123456789"))


def copy_of(crops: Path) -> Path:
    """Another folder of the same: what is trained on is refused to be measured on."""
    copy = crops.with_name(f"{crops.name}-eval")
    if not copy.exists():
        shutil.copytree(crops, copy)
    return copy


def options(numbers: Path, out: Path, *more: str) -> list[str]:
    """A command line that trains on `numbers`, in one process and on one thread."""
    data = f"--data {numbers} --synth 0 --eval {copy_of(numbers)}"
    base = f"--out {out} {data} --charset 0123456789 --batch 2"
    return [*base.split(), *["--workers", "0", "--precision", "fp32", "--threads", "1"], *more]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return read_safetensors(run / LAST)[0]


def small_checkpoint(path: Path, kernel: tuple[int, int] = (2, 1), **manifest: object) -> Path:
    stride = int(manifest.get("stride", 4))
    config = NetworkConfig(
        "small", (4, 4, 8, 8, 8, 8, 8), 8, 1, DIGITS.num_classes, kernel, stride=stride
    )
    save_checkpoint(path, CRNN(config), Manifest(name="small", charset=DIGITS).replace(**manifest))
    return path
