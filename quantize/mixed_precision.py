"""Mixed precision: the fewest layers in float with which an INT8 file reads well enough.

A greedy search. Layers are ranked by how far each, quantized by itself, moves the classes'
distribution on the calibrating crops; the worst are kept in float, one more at a time, until the
loss on the judging crops is within the margin; then each but the last is tried as INT8 once more.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from crnn_edge.backends import open_backend
from quantize.calibration import Crops
from quantize.comparison import Comparison, VerificationError
from quantize.verify import Contender, compare, compare_all

if TYPE_CHECKING:
    from quantize.cli import Format

TOGETHER = "all"
"""What a report calls the file with every layer quantized."""


def costs(
    form: Format, source: Path, calibrating: Crops, judging: Crops, calls: int = 1
) -> dict[str, Comparison]:
    """What quantizing each layer by itself costs, and all of them together.

    Args:
        form: The file's format.
        source: The FP32 file that everything is compared with.
        calibrating: Crops that choose the ranges.
        judging: Crops that show the cost.
        calls: See `compare_all`.

    Returns:
        Comparisons by layer, in the network's order, and last that of all together.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = {TOGETHER: Path(scratch, f"{TOGETHER}{form.suffix}")}
        form.quantize(source, files[TOGETHER], calibrating)
        layers = int8_layers(files[TOGETHER])
        for layer in layers:
            files[layer] = Path(scratch, f"{layer}{form.suffix}")
            form.quantize(source, files[layer], calibrating, {*layers} - {layer})
        candidates = [Contender.open(file) for file in files.values()]
        comparisons = compare_all(Contender.open(source), candidates, judging, calls)
    found = dict(zip(files, comparisons, strict=True))
    return {name: found[name] for name in (*layers, TOGETHER)}


def int8_layers(path: Path) -> list[str]:
    """The layers of a file that are INT8, as its manifest tells.

    Raises:
        VerificationError: If it does not tell.
    """
    layers = (open_backend(path, threads=1).manifest.quantization or {}).get("int8_layers")
    if not layers:
        raise VerificationError(f"{path.name} does not tell which layers are INT8: quantize anew")
    return list(layers)


def quantize(
    form: Format,
    source: Path,
    target: Path,
    calibrating: Crops,
    judging: Crops,
    margin_points: float,
    say: Callable[[str], None],
) -> list[str]:
    """Write an INT8 file that loses no more than the margin.

    Args:
        form: The file's format.
        source: The FP32 file.
        target: The file to write.
        calibrating: Crops that choose the ranges and rank the layers.
        judging: Crops that tell whether the loss is within the margin.
        margin_points: Points of accuracy, lower-cased or exact, that may be lost.
        say: Is told how it goes.

    Returns:
        The layers that stay float, those that matter most first.

    Raises:
        VerificationError: If all but one layer in float are still not enough.
    """
    reference = Contender.open(source)

    def good(keep_float: Collection[str]) -> bool:
        form.quantize(source, target, calibrating, keep_float)
        try:
            compare(reference, Contender.open(target), judging).demand(margin_points, None)
        except VerificationError as error:
            say(f"{', '.join(keep_float) or 'nothing'} in float is not enough: {error}")
            return False
        return True

    if good(()):
        return []
    say("quantizing each layer by itself")
    alone = costs(form, source, calibrating, calibrating)
    del alone[TOGETHER]
    ranked = sorted(alone, key=lambda layer: -alone[layer].divergence)
    for count in range(1, len(ranked)):
        if good(ranked[:count]):
            break
    else:
        raise VerificationError(
            f"{source.name} loses more than {margin_points:g} points even with only {ranked[-1]} "
            "in INT8: keep to FP32, or fine-tune with `python -m model.qat`"
        )
    kept = ranked[:count]
    for layer in kept[:-1]:
        fewer = [other for other in kept if other != layer]
        if good(fewer):
            kept = fewer
    form.quantize(source, target, calibrating, kept)  # the last try may have been another file
    return kept
