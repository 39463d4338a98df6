"""Backbones: image to feature columns. `--backbone X` is `model/network/backbones/X.py`.

A backbone module defines `build(config: NetworkConfig) -> nn.Module`. The module that it returns
maps `(N, 1, config.height, W) float32` to `(N, config.channels[-1], 1, T) float32` for every W that
is a multiple of `config.stride`, with T = W / stride (or one less, as with the paper's last
convolution). Further requirements apply only where the feature is used:

- To export to every format, it is an `nn.Sequential` of `Conv2d`, `BatchNorm2d`, `ReLU` and
  `MaxPool2d` (see `export/lowering.py`).
- For `--reparam`, it has padded 3×3 convolutions that a `BatchNorm2d` follows directly.
- For `--prune`, it is a plain chain whose convolutions have `config.channels` outputs in order.
"""

from __future__ import annotations

from torch import nn

from crnn_edge import plugins
from model.network.config import NetworkConfig
from model.network.reparam import add_reparam


def build_backbone(config: NetworkConfig) -> nn.Module:
    """The backbone that a config names: `X` for a module here, `package.module` for your own.

    Raises:
        UnknownNameError: If there is no such backbone.
        CrnnError: If `config.reparam` is set and the backbone has no suitable convolution.
    """
    backbone: nn.Module = plugins.load(__name__, config.backbone, "build")(config)
    if config.reparam:
        add_reparam(backbone)
    return backbone
