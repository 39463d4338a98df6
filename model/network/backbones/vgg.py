"""The CRNN paper's convolutional layers, in any width.

Shi, Bai & Yao (2015), Table 1: seven convolutions, with four max-poolings of which the last two
halve the height alone, so that a column of features stays narrow enough for an `i` or an `l`.
"""

from __future__ import annotations

from torch import nn

from model.network.config import ModelConfig

POOLS = {0: (2, 2), 1: (2, 2), 3: (2, 1), 5: (2, 1)}
"""What follows which convolution: height and width of a max-pooling's window and stride."""


def build(config: ModelConfig) -> nn.Module:
    """Convolution, batch-norm and ReLU seven times: `(N, 1, 32, W)` to `(N, C, 1, T)`.

    The paper normalizes the fifth and sixth convolution only; here every convolution is
    normalized, which trains faster and, folded at export, leaves the same network.
    """
    layers: list[nn.Module] = []
    channels_in = 1
    for index, channels in enumerate(config.channels):
        last = index == len(config.channels) - 1
        layers += [
            nn.Conv2d(
                channels_in,
                channels,
                config.collapse if last else 3,
                padding=0 if last else 1,
                bias=False,  # batch-norm has one
            ),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        ]
        if index in POOLS:
            # The two commute: where the picture is largest, pooling first leaves the ReLU a
            # quarter of the work; further on INT8 engines want it next to its convolution.
            place = len(layers) - 1 if index == 0 else len(layers)
            layers.insert(place, nn.MaxPool2d(POOLS[index], POOLS[index]))
        channels_in = channels
    return nn.Sequential(*layers)
