"""The settings of quantization and verification, as values that go to JSON and back."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from crnn_edge.errors import CrnnError
from quantize.calibration import DEFAULT_CALIBRATION_SET

FULL_INTEGER_WIDTH_PX = 256
"""The default width of full-integer files: room for a word eight times as long as high."""


class ConfigError(CrnnError, ValueError):
    """Settings that contradict each other, or a value out of its range."""


@dataclass(frozen=True)
class QuantizationConfig:
    """How a model file is quantized and what the result is verified with.

    Attributes:
        calibration: A folder of labelled crops. The 1st, 3rd, … choose the INT8 ranges; the 2nd,
            4th, … verify the result unless `validation` is given.
        validation: A folder of labelled crops, all of which verify the result.
        max_drop: Points of accuracy (or of exact accuracy) that may be lost, 0 to 100.
        mixed_precision: Whether layers are kept in float, as few as possible, where quantizing all
            of them loses more than `max_drop`.
        exclude_layers: Layers that stay float in any case, named as in `quantize.layer_names`.
        io: `float32`, or `int8` for a full-integer file, of formats that have them.
        width_px: The width that a full-integer file declares; None for `FULL_INTEGER_WIDTH_PX`.
    """

    calibration: Path = DEFAULT_CALIBRATION_SET
    validation: Path | None = None
    max_drop: float = 1.0
    mixed_precision: bool = False
    exclude_layers: tuple[str, ...] = ()
    io: str = "float32"
    width_px: int | None = None

    def __post_init__(self) -> None:
        """Validate, and accept paths as text and layers as a list."""
        object.__setattr__(self, "calibration", Path(self.calibration))
        object.__setattr__(self, "exclude_layers", tuple(self.exclude_layers))
        if self.validation is not None:
            object.__setattr__(self, "validation", Path(self.validation))
        if not 0 <= self.max_drop <= 100:
            raise ConfigError(f"invalid max_drop {self.max_drop:g}: expected 0 to 100 points")
        if self.io not in ("float32", "int8"):
            raise ConfigError(f"invalid io {self.io!r}: expected 'float32' or 'int8'")
        if self.width_px is not None and self.io != "int8":
            raise ConfigError("--width applies to full-integer files only: add --io int8")

    def to_json(self) -> str:
        """The settings as a JSON object."""
        return json.dumps(dataclasses.asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Settings from a JSON object; fields that it lacks have their defaults.

        Raises:
            ConfigError: If it is not a JSON object, or has unknown fields or impossible values.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            return cls(**fields)
        except ConfigError:
            raise
        except (ValueError, TypeError) as error:
            raise ConfigError(f"invalid {cls.__name__}: {error}") from None
