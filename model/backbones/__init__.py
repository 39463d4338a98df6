"""Backbones: image to feature columns. `--backbone X` is the module `model/backbones/X.py`.

Each module has `build(config) -> nn.Module`, which maps `(N, 1, H, W) float32` to
`(N, config.channels[-1], 1, T) float32`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from torch import nn

from model.branches import add_branches

if TYPE_CHECKING:
    from model.config import ModelConfig


def build_backbone(config: ModelConfig) -> nn.Module:
    """The backbone that a config names: `X` for a module here, `package.module` for your own.

    Raises:
        CrnnError: If it is to have branches, and has nothing to put them beside.
    """
    name = config.backbone
    module = importlib.import_module(name if "." in name else f"model.backbones.{name}")
    backbone: nn.Module = module.build(config)
    if config.branches:
        add_branches(backbone)
    return backbone
