"""Backbones: image to feature columns. A config's `backbone` X is `model/network/backbones/X.py`.

Each module has `build(config) -> nn.Module`, which maps `(N, 1, H, W) float32` to
`(N, config.channels[-1], 1, T) float32`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from crnn_edge import plugins
from model.network.reparam import add_branches

if TYPE_CHECKING:
    from model.network.config import ModelConfig


def build_backbone(config: ModelConfig) -> nn.Module:
    """The backbone that a config names: `X` for a module here, `package.module` for your own.

    Raises:
        UnknownNameError: If there is no such backbone.
        CrnnError: If it is to have branches, and has nothing to put them beside.
    """
    backbone: nn.Module = plugins.load(__name__, config.backbone, "build")(config)
    if config.branches:
        add_branches(backbone)
    return backbone
