"""Quantization-aware training of a checkpoint: `train_quantized(config) -> QatResult`."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from crnn_edge.errors import CrnnError
from crnn_edge.metrics import Score
from crnn_edge.tables import markdown, percent
from model.network.checkpoint import load_checkpoint
from model.network.crnn import CRNN
from model.network.fake_quantization import WEIGHT_LEVELS, FakeQuantized
from model.network.fusion import without_reparam
from model.training.config import TrainConfig
from model.training.trainer import RunResult, Trainer, process_group


class QatTrainer(Trainer):
    """A run that trains and evaluates the network as its INT8 file computes it."""

    levels = WEIGHT_LEVELS

    def forward_model(self, model: CRNN) -> nn.Module:
        """The network with fake quantization."""
        return FakeQuantized(model, self.levels)


@dataclass(frozen=True)
class QatResult:
    """What quantization-aware training has gained.

    Attributes:
        run: The training run.
        scores: Scores on the validation set by network; empty after an interruption.
    """

    run: RunResult
    scores: dict[str, Score]

    def table(self) -> str:
        """The scores as a Markdown table."""
        heads = ("network", "exact %", "accuracy %", "CER %")
        rows = [
            (name, *(percent(figure) for figure in (score.exact, score.accuracy, score.cer)))
            for name, score in self.scores.items()
        ]
        n = next(iter(self.scores.values())).n
        return f"n = {n:,}\n\n{markdown(heads, rows)}"


def train_quantized(
    config: TrainConfig, *, resume: bool = False, trainer: type[QatTrainer] = QatTrainer
) -> QatResult:
    """Fine-tune a checkpoint with fake quantization, and compare it with its start.

    Args:
        config: Its `init.finetune` is the checkpoint.
        resume: Continue the run in `config.out`.
        trainer: Which trainer runs.

    Raises:
        CrnnError: As `train` does, or if there is no checkpoint to start from.
    """
    checkpoint = config.init.finetune
    if checkpoint is None:
        raise CrnnError("quantization-aware training needs a checkpoint to start from")
    if not resume:
        config = config.resolve()
    with process_group(config):
        process = trainer(config, resume=resume)
        run = process.run()
    if not run.finished or process.rank:
        return QatResult(run, {})
    start = without_reparam(load_checkpoint(checkpoint).model).to(process.device)
    tuned = process.state.ema.model
    networks = {
        "checkpoint, float": start,
        "checkpoint, INT8": process.forward_model(start),
        "fine-tuned, float": tuned,
        "fine-tuned, INT8": process.forward_model(tuned),
    }
    return QatResult(run, {name: process.score(network) for name, network in networks.items()})
