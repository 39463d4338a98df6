"""Full-integer files: the quantizer of a format that has them, set to a width."""

from __future__ import annotations

import dataclasses

from crnn_edge.errors import ModelFileError
from crnn_edge.preprocess import Preprocess
from quantize.config import FULL_INTEGER_WIDTH_PX, ConfigError, QuantizationConfig
from quantize.quantizer import Quantizer


def configured(quantizer: Quantizer, config: QuantizationConfig) -> Quantizer:
    """The quantizer itself, or with `io="int8"` one that writes full-integer files.

    Raises:
        ConfigError: If the format has no full-integer files.
    """
    if config.io == "float32":
        return quantizer
    if quantizer.full_integer is None:
        raise ConfigError(f"the format {quantizer.fmt.name} has no full-integer files: use tflite")
    width_px = FULL_INTEGER_WIDTH_PX if config.width_px is None else config.width_px
    quantize = quantizer.full_integer(width_px)
    return dataclasses.replace(quantizer, quantize=quantize, name_ending="-int8-io")


def check_width(width_px: int | None, preprocess: Preprocess) -> None:
    """Refuse a width that the network never gets; None for a file without a fixed width.

    Raises:
        ModelFileError: If it is not a multiple of `width_multiple`, or more than `max_width`.
    """
    step, most = preprocess.width_multiple, preprocess.max_width
    if width_px is not None and (width_px % step or not 0 < width_px <= most):
        raise ModelFileError(
            f"invalid width {width_px} px: expected a multiple of {step} from {step} to {most}, "
            "the widths of this network's inputs"
        )
