"""The convolutional layers of the CRNN paper, with any number of channels.

Shi, Bai & Yao (2015), Table 1: seven convolutions and four max poolings, of which the last two
halve only the height, so that a column of features stays narrow enough for an `i` or an `l`.
"""

from __future__ import annotations

from torch import nn

from model.network.config import NetworkConfig

POOLS = {0: (2, 2), 1: (2, 2), 3: (2, 1), 5: (2, 1)}
"""Max poolings by the index of the convolution before: (height, width) of window and stride."""


def build(config: NetworkConfig) -> nn.Module:
    """Convolution, batch norm and ReLU seven times: `(N, 1, 32, W)` to `(N, C, 1, T)`.

    The paper normalizes only the fifth and sixth convolution; here every convolution has a batch
    norm, which trains faster and costs nothing after fusion at export.
    """
    layers: list[nn.Module] = []
    channels_in = 1
    for index, channels in enumerate(config.channels):
        last = index == len(config.channels) - 1
        layers += [
            nn.Conv2d(
                channels_in,
                channels,
                config.final_kernel if last else 3,
                padding=0 if last else 1,
                bias=False,  # the batch norm has one
            ),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        ]
        if index in POOLS:
            # ReLU and max pooling commute. At full resolution, pooling first leaves the ReLU a
            # quarter of the work; later, INT8 engines fuse a ReLU that follows its convolution.
            place = len(layers) - 1 if index == 0 else len(layers)
            layers.insert(place, nn.MaxPool2d(POOLS[index], POOLS[index]))
        channels_in = channels
    return nn.Sequential(*layers)
