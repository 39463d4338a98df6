"""What a training command asks for is what its run is made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from training import options, parse_config, small_checkpoint

from model.data.augment.corruptions import Augment
from model.data.augment.padding import RandomPadding
from model.data.augment.splice import SplicedCrops
from model.data.synth import Synth
from model.training.job import EVAL_SEED, build_job
from model.training.losses import ctc_loss
from model.training.schedule import lr_factor
from model.training.trainer import Trainer


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.3])
def test_crops_are_degraded_as_much_as_asked(numbers, tmp_path, strength) -> None:
    job = build_job(parse_config(options(numbers, tmp_path, "--augment", str(strength))))
    (part,) = job.batches.mixture.sources
    assert [type(change) for change in part.augment] == (
        [RandomPadding, Augment] if strength else []
    )
    assert [a.strength for a in part.augment if isinstance(a, Augment)] == [strength][
        : len(part.augment)
    ]


def test_pieces_are_degraded_like_crops_and_other_seeds_cut_others(
    numbers, tmp_path, monkeypatch
) -> None:
    start, seeds = small_checkpoint(tmp_path / "small.safetensors"), []

    def cut(self: SplicedCrops, datasets, recognizer, seed) -> None:
        seeds.append(seed)

    monkeypatch.setattr(SplicedCrops, "__init__", cut)
    more = ["--finetune", str(start), "--splice", "1", "--augment", "1.3"]
    arguments = [
        a for a in options(numbers, tmp_path, *more) if a not in ("--charset", "0123456789")
    ]
    for seed in (3, 4):
        job = build_job(parse_config([*arguments, "--seed", str(seed)]))
        crops, pieces = job.batches.mixture.sources
        assert [type(change) for change in pieces.augment] == [RandomPadding, Augment]
        assert pieces.augment[1].strength == crops.augment[1].strength == 1.3
        assert job.batches.mixture.seed == seed
    assert seeds == [3, 4]


def test_words_to_measure_on_are_as_hard_as_those_to_train_on(
    numbers, tmp_path, monkeypatch
) -> None:
    made = []

    def set_up(self: Synth, faces, text_source, seed, strength=1.0) -> None:
        made.append((seed, strength))

    monkeypatch.setattr(Synth, "__init__", set_up)
    monkeypatch.setattr(Synth, "__getitem__", lambda self, index: (np.zeros((8, 8), np.uint8), "1"))
    base = ["--out", str(tmp_path), "--data", str(numbers), "--synth", "0.5", "--workers", "0"]
    build_job(parse_config([*base, "--charset", "0123456789", "--seed", "7"]))
    assert made == [(7, 1.0), (EVAL_SEED, 1.0)]


def test_the_optimizer_gets_its_settings(numbers, tmp_path) -> None:
    asked = ["--weight-decay", "0.3", "--lr", "0.004", "--schedule", "cosine", "--steps", "4"]
    trainer = Trainer(parse_config(options(numbers, tmp_path, *asked)))
    rates = []
    for batch, _ in zip(trainer.batches(), range(4), strict=False):
        trainer.train_step(batch)
        (group,) = trainer.state.optimizer.param_groups
        rates.append(group["lr"])
    assert rates == [0.004 * lr_factor(step, 4, "cosine") for step in range(4)]
    assert group["weight_decay"] == 0.3


@pytest.mark.parametrize("weight", ["0", "2.5"])
def test_a_teacher_counts_as_much_as_asked(numbers, tmp_path, weight) -> None:
    teacher = small_checkpoint(tmp_path / "teacher.safetensors")
    asked = ["--steps", "1", "--teacher", str(teacher), "--distill-weight", weight, "--clip", "1e9"]
    trainer = Trainer(parse_config(options(numbers, tmp_path, *asked)))
    batch = next(trainer.batches())
    bias = trainer.state.model.linears[-1].bias
    trainer.loss.train()
    losses = trainer.losses(batch)
    one, other = (
        torch.autograd.grad(losses[name], bias, retain_graph=True)[0]
        for name in ("loss", "teacher")
    )
    trainer.train_step(batch)
    share = len(batch.lengths) / 2  # of the mean number of images in a batch
    expected = share * (one + float(weight) * other)
    torch.testing.assert_close(bias.grad, expected, atol=1e-5, rtol=1e-4)


def test_the_loss_is_a_mean_over_texts_of_any_length() -> None:
    log_probs = torch.randn(2, 12, 4, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    texts = [torch.tensor([1]), torch.tensor([1, 2, 3, 1])]
    alone = [
        ctc_loss(log_probs[i : i + 1], text, torch.tensor([len(text)]))
        for i, text in enumerate(texts)
    ]
    together = ctc_loss(log_probs, torch.cat(texts), torch.tensor([1, 4]))
    torch.testing.assert_close(together, sum(alone) / 2)


@pytest.mark.parametrize(
    ("more", "decay"),
    [
        ([], 0.01),
        (["--optimizer", "adadelta"], 0),
        (["--optimizer", "adadelta", "--weight-decay", "0.5"], 0.5),
    ],
)
def test_weight_decay_is_the_optimizers_own_or_what_is_asked(
    numbers, tmp_path, more: list[str], decay: float
) -> None:
    trainer = Trainer(parse_config(options(numbers, tmp_path, *more)))
    assert trainer.state.optimizer.param_groups[0]["weight_decay"] == decay


@pytest.mark.parametrize(
    ("more", "rate"),
    [
        ([], 2e-3),
        (["--optimizer", "adadelta"], 1.0),
        (["--optimizer", "adadelta", "--lr", "0.5"], 0.5),
    ],
)
def test_each_optimizer_has_a_learning_rate_of_its_own(numbers, tmp_path, more, rate) -> None:
    assert parse_config(options(numbers, tmp_path, *more)).optim.lr == rate
