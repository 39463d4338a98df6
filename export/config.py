"""The settings of an export, as values that go to JSON and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quantize.config import ConfigError, QuantizationConfig

BUILD_FOLDER = Path("build")
"""The default folder for exported files; git ignores it."""


@dataclass(frozen=True)
class ExportConfig(QuantizationConfig):
    """How a checkpoint is exported, and what the result is verified with.

    Attributes:
        int8: Whether the file is quantized, with the settings of `QuantizationConfig`.
        out: The file to write, or the folder where several formats are written; None for files in
            `BUILD_FOLDER`, named as the checkpoint.
    """

    int8: bool = False
    out: Path | None = None

    def __post_init__(self) -> None:
        """Validate."""
        super().__post_init__()
        if self.out is not None:
            object.__setattr__(self, "out", Path(self.out))
        for flag, given in (
            ("--io int8", self.io == "int8"),
            ("--mixed-precision", self.mixed_precision),
            ("--exclude-layers", bool(self.exclude_layers)),
        ):
            if given and not self.int8:
                raise ConfigError(f"{flag} applies to INT8 files only: add --int8")
