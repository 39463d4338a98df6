"""Safetensors files: tensors and texts, no pickle from strangers, equal contents in equal bytes."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from crnn_edge.backends import FORMAT_BY_SUFFIX
from crnn_edge.errors import ModelFileError
from crnn_edge.files import atomic_write
from model.network.safetensors_header import with_sorted_metadata


def write_safetensors(
    path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]
) -> None:
    """Write tensors and texts atomically; equal contents give equal bytes.

    Raises:
        CrnnError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, with_sorted_metadata(save(tensors, metadata)))


def read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and texts of a safetensors file.

    Raises:
        ModelFileError: If it is missing, truncated, or not a safetensors file.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(
            f"no checkpoint at {path}: pass an existing .safetensors file or a bundled name such "
            "as crnn-lite, or train one with `python -m model.train`"
        )
    if path.suffix.lower() in FORMAT_BY_SUFFIX:
        raise ModelFileError(
            f"{path} is an exported model file: expected the .safetensors checkpoint that it was "
            "exported from"
        )
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(f"{path} is damaged or not a safetensors file: {error}") from None
