"""Fine-tuning a checkpoint for INT8, the last resort: `python -m model.qat --help`.

Training sees the network as the INT8 file will compute it, so that the weights settle where
rounding does little harm. Rounding has no gradient; the one of leaving things as they are stands
in for it, the straight-through estimator (Bengio et al. 2013; Jacob et al. 2018).

The one file of this package that needs torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from crnn_edge.metrics import Score
from crnn_edge.tables import markdown, percent
from model.evaluate import evaluate
from model.network.backend import TorchBackend
from model.network.bundled import DEFAULT_CHECKPOINT
from model.network.checkpoint import load_checkpoint
from model.network.crnn import CRNN
from model.network.fusion import without_reparam
from model.train import Trainer
from model.train import main as train
from model.training.arguments import add_training
from model.training.config import settle

WEIGHT_LEVELS = 64
"""The largest value of a convolution's weight: seven bits, as in `quantize.onnx`."""

_TOP = 255  # the largest uint8 value of an activation
_LEAST = 1e-30  # a channel or a picture that is all zero has a scale, too

EXAMPLES = """
examples:
  python -m model.qat runs/meter/best.safetensors --out runs/meter-qat --synth 0 \\
      --data meters/train --eval meters/dev
  python -m export.all runs/meter-qat/best.safetensors --int8 --validation meters/dev
"""


class Rounded(nn.Module):
    """A network as its INT8 file computes it; the network itself stays as it is.

    The weights of all convolutions but the first are rounded, each output channel by its own
    scale, and what each ReLU gives, over the range of the batch at hand. A scale per channel lets
    batch-norm through: rounding before it or after folding it in is the same, so nothing is
    folded, and what is trained remains a checkpoint like any other. LSTM and linear layers, whose
    activations are ranged at run time, are left in float.
    """

    def __init__(self, model: CRNN, levels: int = WEIGHT_LEVELS) -> None:
        """View `model`, whose convolutions are to have weights from `-levels` to `levels`.

        It must have no branches: INT8 files have their sum, and it is the sum that is rounded.
        """
        super().__init__()
        self.model = model
        self.levels = levels
        convolutions = [
            f"{name}.weight" for name, m in model.named_modules() if isinstance(m, nn.Conv2d)
        ]
        self._weights = convolutions[1:] or convolutions
        self._relus = [m for m in model.backbone.modules() if isinstance(m, nn.ReLU)]

    def train(self, mode: bool = True) -> Rounded:
        """Change the mode of all but batch-norm, which keeps to the statistics it will have."""
        super().train(mode)
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        """Logits `(N, T, C)` of a batch `(N, 1, H, W)`."""
        weights = {
            name: round_weight(self.model.get_parameter(name), self.levels)
            for name in self._weights
        }
        hooks = [relu.register_forward_hook(_round_output) for relu in self._relus]
        try:
            logits: torch.Tensor = functional_call(self.model, weights, (tensor,))
        finally:
            for hook in hooks:
                hook.remove()
        return logits


def round_weight(weight: torch.Tensor, levels: int = WEIGHT_LEVELS) -> torch.Tensor:
    """A convolution's weight `(O, I, H, W)` in `2 levels + 1` steps for each output channel."""
    scale = weight.detach().abs().amax(dim=(1, 2, 3)).clamp(min=_LEAST) / levels
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -levels, levels)


def round_activation(x: torch.Tensor) -> torch.Tensor:
    """A tensor in 256 steps over its own range, of which 0 is one."""
    low, high = x.detach().min().clamp(max=0), x.detach().max().clamp(min=0)
    scale = ((high - low) / _TOP).clamp(min=_LEAST)
    zero = (-low / scale).round().int()
    return torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, _TOP)


def _round_output(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
    return round_activation(output)


class QatTrainer(Trainer):
    """A training run that sees and measures the network in INT8."""

    levels = WEIGHT_LEVELS

    def view(self, model: CRNN) -> nn.Module:
        """The network in INT8."""
        return Rounded(model, self.levels)

    def run(self) -> int:
        """Train, then tell on stdout what came of it; returns the exit code."""
        code = super().run()
        if code == 0 and self.rank == 0:
            print(self._table())
        return code

    def _table(self) -> str:
        start = without_reparam(load_checkpoint(self.settings.finetune).model).to(self.device)
        after = self.state.ema.model
        networks = {
            "checkpoint, float": start,
            "checkpoint, INT8": self.view(start),
            "fine-tuned, float": after,
            "fine-tuned, INT8": self.view(after),
        }
        scores = {name: self._score(network) for name, network in networks.items()}
        heads = ("network", "accuracy %", "exact %", "CER %")
        rows = [
            (name, *(percent(figure) for figure in (score.accuracy, score.exact, score.cer)))
            for name, score in scores.items()
        ]
        return f"n = {len(self.job.eval_set):,}\n\n{markdown(heads, rows)}"

    def _score(self, network: nn.Module) -> Score:
        backend = TorchBackend(network, self.job.manifest, device=str(self.device))
        return evaluate(backend, self.job.eval_set)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Settings from a command line, and from the run itself when it is resumed."""
    parser = argparse.ArgumentParser(
        prog="python -m model.qat",
        usage="%(prog)s [CHECKPOINT] --out DIR [options]",
        description="Fine-tune a checkpoint so that it loses less when its convolutions become\n"
        "INT8. The last resort: `python -m export.all --int8` usually loses no more than\n"
        "0.5 points, and `--mixed-precision` keeps in float what does. Where nothing is lost,\n"
        "this gains nothing. The result is a checkpoint, which every exporter takes; branches\n"
        "that helped training are merged first.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "finetune",
        metavar="CHECKPOINT",
        nargs="?",
        type=Path,
        default=DEFAULT_CHECKPOINT,
        help=f"a trained network (default: model/weights/{DEFAULT_CHECKPOINT.name})",
    )
    add_training(parser)
    # A short run in small steps, without the second rounding that bf16 would be.
    parser.set_defaults(steps=2000, lr=1e-4, schedule="cosine", precision="fp32", eval_every=500)
    parser.set_defaults(model=None, width_mult=None, grow=None, prune=None)
    parser.set_defaults(charset=None, tta_threshold=None, decoder=None, reparam=False)
    return settle(parser, argv)


def main(argv: list[str] | None = None) -> int:
    """Entry point of `python -m model.qat`."""
    return train(argv, parse, QatTrainer)


if __name__ == "__main__":
    sys.exit(main())
