"""What every quantizer offers; `quantize.X.QUANTIZER` is that of format X."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from quantize.calibration import LabelledCrops
from quantize.formats.base import ModelFormat


class QuantizeFunction(Protocol):
    """A function that writes the INT8 version of an FP32 model file, without verifying it."""

    def __call__(
        self,
        source: Path,
        target: Path,
        calibration: LabelledCrops,
        exclude_layers: Collection[str] = (),
    ) -> None:
        """Write the INT8 version of an FP32 model file, unverified.

        Args:
            source: The FP32 file.
            target: The file to write.
            calibration: The crops that choose the INT8 ranges.
            exclude_layers: Layers to keep in float, named as in `quantize.layer_names`.
        """
        ...


@dataclass(frozen=True)
class Quantizer:
    """The quantizer of a file format.

    Attributes:
        fmt: The format.
        quantize: Writes the INT8 version of an FP32 file, unverified.
        full_integer: Returns, for a width in pixels, a function that writes full-integer files;
            None where the format has no such files.
        name_ending: What the default names of INT8 files end in, before the suffix.
    """

    fmt: ModelFormat
    quantize: QuantizeFunction
    full_integer: Callable[[int], QuantizeFunction] | None = None
    name_ending: str = "-int8"
