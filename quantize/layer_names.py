"""What layers are called, whatever the file's format: `conv1`, `conv2`, …, `lstm1`, `linear1`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from crnn_edge.errors import CrnnError, ModelFileError
from crnn_edge.manifest import Manifest

KINDS = ("conv", "lstm", "linear")
"""The layers with weights; what follows one, up to the next, belongs to it."""


def check_float(source: Path, manifest: Manifest) -> None:
    """Refuse to quantize a file twice.

    Raises:
        ModelFileError: If it is quantized already.
    """
    if manifest.precision != "fp32":
        raise ModelFileError(f"{source} is {manifest.precision} already: start from the FP32 file")


def int8_manifest(
    manifest: Manifest, layers: Sequence[str], calibration: dict[str, Any] | None = None
) -> Manifest:
    """The manifest of a file of which some layers have become INT8, and what made them so."""
    quantization = {
        "int8_layers": list(layers),
        "method": "post-training",
        "calibration": calibration,
    }
    return manifest.replace(precision="int8", quantization=quantization)


class LayerNameError(CrnnError, LookupError):
    """A layer that is to stay float and that the quantizer would not have touched."""


def named(kinds: Sequence[str | None]) -> list[str | None]:
    """Names for a network's nodes, counted by kind; None for nodes of another than `KINDS`."""
    count: Counter[str | None] = Counter()
    names: list[str | None] = []
    for kind in kinds:
        count[kind] += 1
        names.append(f"{kind}{count[kind]}" if kind in KINDS else None)
    return names


def chosen(layers: Sequence[str], keep_float: Collection[str]) -> list[str]:
    """Those of a network's quantizable layers that are to become INT8.

    Raises:
        LayerNameError: If one that shall stay float is not among them.
    """
    if unknown := set(keep_float) - set(layers):
        raise LayerNameError(
            f"cannot keep {', '.join(sorted(unknown))} in float: what would be quantized is "
            f"{', '.join(layers)}"
        )
    return [layer for layer in layers if layer not in keep_float]
