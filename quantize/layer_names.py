"""Names of layers, the same in every format: `conv1`, `conv2`, …, `lstm1`, `linear1`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from crnn_edge.errors import CrnnError, ModelFileError
from crnn_edge.manifest import Manifest

LAYER_CLASSES = ("conv", "lstm", "linear")
"""The layers with weights. Operators that follow one, up to the next, belong to it."""


class LayerNameError(CrnnError, LookupError):
    """A layer to exclude from quantization that the network does not have."""


def check_float(source: Path, manifest: Manifest) -> None:
    """Refuse to quantize a file twice.

    Raises:
        ModelFileError: If the file is quantized already.
    """
    if manifest.precision != "fp32":
        raise ModelFileError(
            f"cannot quantize {source}: it is {manifest.precision} already; expected an FP32 file, "
            "such as `python -m export.onnx CHECKPOINT` writes"
        )


def int8_manifest(
    manifest: Manifest, layers: Sequence[str], calibration: dict[str, Any] | None = None
) -> Manifest:
    """The manifest of an INT8 file.

    Args:
        manifest: That of the FP32 file.
        layers: The layers that are INT8.
        calibration: `LabelledCrops.provenance` of the crops that chose the ranges, if any did.
    """
    quantization = {
        "int8_layers": list(layers),
        "method": "post-training",
        "calibration": calibration,
    }
    return manifest.replace(precision="int8", quantization=quantization)


def layer_names(classes: Sequence[str | None]) -> list[str | None]:
    """Names for the nodes of a network.

    Args:
        classes: The class of each node; None, or one outside `LAYER_CLASSES`, for no layer.

    Returns:
        For each node its class and its number within the class, or None.
    """
    count: Counter[str | None] = Counter()
    names: list[str | None] = []
    for name in classes:
        count[name] += 1
        names.append(f"{name}{count[name]}" if name in LAYER_CLASSES else None)
    return names


def select_layers(
    layers: Sequence[str], exclude_layers: Collection[str], *, first_conv: bool = True
) -> list[str]:
    """The layers to quantize.

    Args:
        layers: The layers of a network.
        exclude_layers: Those to keep in float.
        first_conv: Whether the first of several convolutions, which gets the image itself, is
            quantized.

    Raises:
        LayerNameError: If the network has no layer of a name to exclude.
    """
    if unknown := set(exclude_layers) - set(layers):
        raise LayerNameError(
            f"cannot exclude layers {', '.join(sorted(unknown))}: the network has "
            f"{', '.join(layers)}"
        )
    excluded = set(exclude_layers)
    if not first_conv and "conv2" in layers:
        excluded.add("conv1")
    return [layer for layer in layers if layer not in excluded]
