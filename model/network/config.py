"""Choices made before training: which network, how wide, how deep."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from crnn_edge.errors import ModelFileError


@dataclass(frozen=True)
class ModelConfig:
    """A CRNN's shape.

    Attributes:
        name: What checkpoints and model files are called.
        channels: Output channels of the backbone's convolutions.
        hidden: Units of a BiLSTM in each direction.
        layers: BiLSTM layers; a linear layer from `2 hidden` to `hidden` stands between two.
        num_classes: The blank and the tokens.
        collapse: Kernel (height, width) of the last convolution, which leaves one row. The
            paper's 2×2 loses a column, 2×1 keeps `T = W / 4`.
        backbone: Module of `model.network.backbones`, or a dotted name of your own.
        height: Rows of the input tensor, in pixels.
        stride: Input pixels per time step.
        branches: Whether it has branches for training, which folding merges; see
            `model.network.reparam`.
    """

    name: str
    channels: tuple[int, ...]
    hidden: int
    layers: int
    num_classes: int = 96
    collapse: tuple[int, int] = (2, 1)
    backbone: str = "vgg"
    height: int = 32
    stride: int = 4
    branches: bool = False

    def times(self, width: float) -> ModelConfig:
        """The same with so many times the channels and units, in eights: engines count in them."""
        if width == 1:
            return self
        few = [max(8, 8 * int(count * width / 8 + 0.5)) for count in (*self.channels, self.hidden)]
        return dataclasses.replace(
            self, name=f"{self.name}-x{width:g}", channels=tuple(few[:-1]), hidden=few[-1]
        )

    def to_dict(self) -> dict[str, Any]:
        """The config as JSON-ready values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], source: str) -> ModelConfig:
        """A config from JSON values.

        Raises:
            ModelFileError: If `source` was written with other fields.
        """
        try:
            return cls(
                **{
                    **values,
                    "channels": tuple(values["channels"]),
                    "collapse": tuple(values["collapse"]),
                }
            )
        except (TypeError, KeyError) as error:
            raise ModelFileError(f"the model config in {source} is invalid: {error}") from None


CONFIGS = {
    config.name: config
    for config in (
        # The paper's Table 1: 8.3 M weights at 36 classes and the blank.
        ModelConfig(
            name="crnn",
            channels=(64, 128, 256, 256, 512, 512, 512),
            hidden=256,
            layers=2,
            collapse=(2, 2),
        ),
        # Few channels where the picture is large, many where it is small: of five shapes of
        # 0.6 to 1.2 M weights, the best ratio of weights to time (model/RUNS.md).
        ModelConfig(
            name="crnn-medium",
            channels=(16, 48, 96, 128, 160, 192, 192),
            hidden=128,
            layers=1,
        ),
        # The same with what does least taken away, chosen by the time of its INT8 file where the
        # processor has no instructions for INT8.
        ModelConfig(
            name="crnn-lite",
            channels=(16, 40, 64, 80, 112, 144, 160),
            hidden=96,
            layers=1,
        ),
        # For music, where half a staff space decides which note it is: twice as high, and what the
        # poolings leave of that height, four rows, the last convolution sees at once.
        ModelConfig(
            name="crnn-score",
            channels=(16, 32, 48, 64, 80, 96, 128),
            hidden=96,
            layers=1,
            collapse=(4, 1),
            height=64,
        ),
    )
}
"""The networks that ship, by name."""
