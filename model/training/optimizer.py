"""The optimizer of a run and the precision that it computes in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from crnn_edge.errors import EngineError
from model.training.config import OptimizerConfig

AMP_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
"""The dtype of autocast by `--amp`; None for no autocast."""


def build_optimizer(
    config: OptimizerConfig, parameters: Iterable[nn.Parameter]
) -> torch.optim.Optimizer:
    """The optimizer that a resolved config names."""
    if config.lr is None or config.weight_decay is None:
        raise ValueError("the optimizer config is not resolved")
    if config.optimizer == "adadelta":
        return torch.optim.Adadelta(parameters, config.lr, weight_decay=config.weight_decay)
    return torch.optim.AdamW(parameters, config.lr, weight_decay=config.weight_decay)


def pick_amp(name: str, device: torch.device) -> str:
    """What `--amp` means on a device: one of `AMP_DTYPES`.

    On CPUs `auto` is bf16 only with AMX: without it, autocast converts to and from bf16 around
    every operator, and training is slower than in fp32 (102 against 172 images/s of crnn-medium on
    one thread of a Sapphire Rapids without AMX).

    Raises:
        EngineError: If fp16 is requested on a CPU, where gradients would not be scaled.
    """
    if name == "fp16" and device.type != "cuda":
        raise EngineError("--amp fp16 needs a CUDA device: use bf16 or fp32")
    if name == "auto":
        on_gpu = device.type == "cuda"
        return "bf16" if (torch.cuda.is_bf16_supported() if on_gpu else cpu_has_amx()) else "fp32"
    return name


def cpu_has_amx() -> bool:
    """Whether the processor multiplies bf16 matrices natively (Intel AMX), as far as Linux says."""
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
