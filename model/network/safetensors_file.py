"""Safetensors files: tensors and texts, no pickle from strangers, equal contents in equal bytes."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from crnn_edge.backends import FORMAT_BY_SUFFIX
from crnn_edge.errors import ModelFileError
from crnn_edge.files import atomic_write

_LENGTH = 8  # bytes of the header's length at the start of a file, little-endian
_ALIGNMENT = 8  # bytes to which the header is padded


def write_safetensors(
    path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]
) -> None:
    """Write tensors and texts atomically; equal contents give equal bytes.

    Raises:
        CrnnError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, _with_sorted_metadata(save(tensors, metadata)))


def _with_sorted_metadata(data: bytes) -> bytes:
    """The same file with the metadata sorted by key: the library writes them in random order."""
    end = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
    header = json.loads(data[_LENGTH:end])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    packed = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    packed += b" " * (-len(packed) % _ALIGNMENT)
    return len(packed).to_bytes(_LENGTH, "little") + packed + data[end:]


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
