"""The smallest runs that train: what their tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from crnn_edge.charset import Charset
from crnn_edge.cli.run import run_command
from crnn_edge.manifest import Manifest
from model.network.checkpoint import save_checkpoint
from model.network.config import NetworkConfig
from model.network.crnn import CRNN
from model.network.safetensors_file import read_safetensors
from model.train import parse
from model.training.arguments import STATE_FILE
from model.training.config import TrainConfig
from model.training.trainer import Trainer, train

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
    return [*base.split(), *["--workers", "0", "--amp", "fp32", "--threads", "1"], *more]


def parse_config(argv: list[str]) -> TrainConfig:
    return parse(argv)[0]


def run(argv: list[str], trainer: type[Trainer]) -> int:
    """What the command does, with a trainer of the test's own; returns the exit code."""
    config, resume = parse(argv)
    return run_command(lambda: train(config, resume=resume, trainer=trainer).exit_code)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_safetensors(folder / STATE_FILE)[0]


def small_checkpoint(path: Path, kernel: tuple[int, int] = (2, 1), **manifest: object) -> Path:
    stride = int(manifest.get("stride", 4))
    config = NetworkConfig(
        "small", (4, 4, 8, 8, 8, 8, 8), 8, 1, DIGITS.num_classes, kernel, stride=stride
    )
    save_checkpoint(path, CRNN(config), Manifest(name="small", charset=DIGITS).replace(**manifest))
    return path
