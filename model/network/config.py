"""The architecture of a network: which backbone, how wide, how deep."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from model.json_config import JsonConfig

_FORMER_KEYS = {
    "branches": "reparam",
    "collapse": "final_kernel",
    "hidden": "lstm_hidden",
    "layers": "lstm_layers",
}
"""Keys of checkpoints written before, and the fields that they are now."""


@dataclass(frozen=True)
class NetworkConfig(JsonConfig):
    """The architecture of a CRNN.

    Attributes:
        name: The default name of checkpoints and model files.
        channels: Output channels of the backbone's convolutions.
        lstm_hidden: Hidden units of each BiLSTM per direction.
        lstm_layers: Number of BiLSTM layers. Between two of them a linear layer maps the
            `2 lstm_hidden` outputs to `lstm_hidden` features.
        num_classes: Number of tokens plus one for the CTC blank.
        final_kernel: Kernel (height, width) of the last convolution, whose output is one row. The
            paper's 2×2 loses one column; 2×1 keeps `T = W / 4`.
        backbone: Module of `model.network.backbones`, or the dotted name of your own module.
        height: Height of the input tensor in pixels.
        stride: Input pixels per time step.
        reparam: Whether the convolutions are RepVGG blocks during training, which are fused at
            export; see `model.network.reparam`.
    """

    name: str
    channels: tuple[int, ...]
    lstm_hidden: int
    lstm_layers: int
    num_classes: int = 96
    final_kernel: tuple[int, int] = (2, 1)
    backbone: str = "vgg"
    height: int = 32
    stride: int = 4
    reparam: bool = False

    def scaled(self, width_mult: float) -> NetworkConfig:
        """The same architecture with all channels and hidden units multiplied by `width_mult`.

        The results are rounded to multiples of eight, which engines compute most efficiently.
        """
        if width_mult == 1:
            return self
        *channels, hidden = (
            max(8, 8 * int(count * width_mult / 8 + 0.5))
            for count in (*self.channels, self.lstm_hidden)
        )
        return dataclasses.replace(
            self,
            name=f"{self.name}-x{width_mult:g}",
            channels=tuple(channels),
            lstm_hidden=hidden,
        )

    @classmethod
    def from_values(cls, values: Any, source: str = "the network config") -> NetworkConfig:
        """Parse an object as `json.loads` returns it; keys of earlier versions are migrated.

        Raises:
            ConfigError: If its fields are unknown, missing or invalid.
        """
        if isinstance(values, dict):
            values = {_FORMER_KEYS.get(key, key): value for key, value in values.items()}
        return super().from_values(values, source)


CONFIGS = {
    config.name: config
    for config in (
        # Table 1 of the paper: 8.3 M parameters with 36 classes and the blank.
        NetworkConfig(
            name="crnn",
            channels=(64, 128, 256, 256, 512, 512, 512),
            lstm_hidden=256,
            lstm_layers=2,
            final_kernel=(2, 2),
        ),
        # Few channels where the feature maps are large, many where they are small: of five
        # architectures of 0.6 to 1.2 M parameters the best accuracy for its latency.
        NetworkConfig(
            name="crnn-medium",
            channels=(16, 48, 96, 128, 160, 192, 192),
            lstm_hidden=128,
            lstm_layers=1,
        ),
        # crnn-medium with its least important channels pruned; how many was decided by the latency
        # of the INT8 file on a processor without INT8 instructions.
        NetworkConfig(
            name="crnn-lite",
            channels=(16, 40, 64, 80, 112, 144, 160),
            lstm_hidden=96,
            lstm_layers=1,
        ),
        # For music, where half a staff space distinguishes two notes: twice the height. Four rows
        # are left after the poolings, and the final convolution covers all of them.
        NetworkConfig(
            name="crnn-score",
            channels=(16, 32, 48, 64, 80, 96, 128),
            lstm_hidden=96,
            lstm_layers=1,
            final_kernel=(4, 1),
            height=64,
        ),
    )
}
"""The bundled architectures by name."""
