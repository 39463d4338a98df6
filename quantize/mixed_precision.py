"""Mixed precision with accuracy control: as few layers in float as an allowed drop permits.

A greedy search. Layers are ranked by the Kullback-Leibler divergence that quantizing each of them
alone causes on the calibration crops. The most sensitive are kept in float, one more at a time,
until the drop on the validation crops is allowed; then each of them but the last is tried as INT8
once more.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection
from pathlib import Path

from crnn_edge.backends import open_backend
from quantize.calibration import LabelledCrops
from quantize.compare import ModelUnderTest, compare, compare_all
from quantize.comparison import Comparison, VerificationError
from quantize.quantizer import Quantizer

ALL_LAYERS = "all"
"""The name in reports of the file with every layer quantized."""

log = logging.getLogger("crnn_edge")


def layer_sensitivity(
    quantizer: Quantizer,
    source: Path,
    calibration: LabelledCrops,
    validation: LabelledCrops,
    exclude_layers: Collection[str] = (),
    calls: int = 1,
) -> dict[str, Comparison]:
    """What quantizing each layer alone costs, and quantizing all of them.

    Args:
        quantizer: That of the file's format.
        source: The FP32 file that everything is compared with.
        calibration: Crops that choose the ranges.
        validation: Crops that show the cost.
        exclude_layers: Layers that stay float in every file.
        calls: See `compare_all`.

    Returns:
        Comparisons by layer, in the network's order, and last that of `ALL_LAYERS`.
    """
    suffix = quantizer.fmt.suffix
    with tempfile.TemporaryDirectory() as folder:
        files = {ALL_LAYERS: Path(folder, f"{ALL_LAYERS}{suffix}")}
        quantizer.quantize(source, files[ALL_LAYERS], calibration, exclude_layers)
        layers = int8_layers(files[ALL_LAYERS])
        for layer in layers:
            files[layer] = Path(folder, f"{layer}{suffix}")
            others = {*layers, *exclude_layers} - {layer}
            quantizer.quantize(source, files[layer], calibration, others)
        candidates = [ModelUnderTest.open(file) for file in files.values()]
        comparisons = compare_all(ModelUnderTest.open(source), candidates, validation, calls)
    by_layer = dict(zip(files, comparisons, strict=True))
    return {name: by_layer[name] for name in (*layers, ALL_LAYERS)}


def int8_layers(path: Path) -> list[str]:
    """The INT8 layers of a file, from its manifest.

    Raises:
        VerificationError: If the manifest does not name them.
    """
    layers = (open_backend(path, threads=1).manifest.quantization or {}).get("int8_layers")
    if not layers:
        raise VerificationError(f"the manifest of {path.name} names no INT8 layers: quantize again")
    return list(layers)


def quantize(
    quantizer: Quantizer,
    source: Path,
    target: Path,
    calibration: LabelledCrops,
    validation: LabelledCrops,
    max_drop: float,
    exclude_layers: Collection[str] = (),
) -> list[str]:
    """Write an INT8 file that loses no more than is allowed.

    Args:
        quantizer: That of the file's format.
        source: The FP32 file.
        target: The file to write.
        calibration: Crops that choose the ranges and rank the layers.
        validation: Crops that show the drop in accuracy.
        max_drop: Points of accuracy that may be lost; see `Comparison.check_drop`.
        exclude_layers: Layers that stay float in any case.

    Returns:
        The layers that stay float in addition, the most sensitive first.

    Raises:
        VerificationError: If keeping all but one of the layers in float is not enough.
    """
    reference = ModelUnderTest.open(source)

    def is_enough(float_layers: Collection[str]) -> bool:
        quantizer.quantize(source, target, calibration, [*exclude_layers, *float_layers])
        comparison = compare(reference, ModelUnderTest.open(target), validation)
        try:
            comparison.check_drop(max_drop, None)
        except VerificationError:
            names = ", ".join(float_layers) or "no layer"
            drops = [f"{c.drop_points:.2f} of {k}" for k, c in comparison.changes.items()]
            log.info("with %s in float the drop in points is %s", names, ", ".join(drops))
            return False
        return True

    if is_enough(()):
        return []
    log.info("measuring the sensitivity of each layer")
    sensitivity = layer_sensitivity(quantizer, source, calibration, calibration, exclude_layers)
    del sensitivity[ALL_LAYERS]
    ranked = sorted(sensitivity, key=lambda layer: -sensitivity[layer].kl_divergence)
    for count in range(1, len(ranked)):
        if is_enough(ranked[:count]):
            break
    else:
        raise VerificationError(
            f"{source.name} loses more than {max_drop:g} points even with only {ranked[-1]} in "
            "INT8. Use the FP32 file, allow more with --max-drop, or fine-tune with `python -m "
            "model.qat`"
        )
    float_layers = ranked[:count]
    for layer in float_layers[:-1]:
        fewer = [other for other in float_layers if other != layer]
        if is_enough(fewer):
            float_layers = fewer
    # The file written last may be that of a failed attempt.
    quantizer.quantize(source, target, calibration, [*exclude_layers, *float_layers])
    return float_layers
