"""What the CTC loss is worth, in nats a text."""

from __future__ import annotations

import math

import pytest
import torch
from test_ctc import GOLDEN

from model.training.losses import ctc_loss


def test_the_golden_pair_costs_what_its_probability_says() -> None:
    for text, probability in (([1], 0.64), ([], 0.36)):
        log_probs = torch.from_numpy(GOLDEN)[None]
        loss = ctc_loss(log_probs, torch.tensor(text).long(), torch.tensor([len(text)]))
        assert loss.item() == pytest.approx(-math.log(probability))


def test_a_text_too_long_for_its_picture_costs_nothing_and_teaches_nothing() -> None:
    logits = torch.from_numpy(GOLDEN).repeat(2, 1, 1).requires_grad_()
    lengths = torch.tensor([1, 2])  # `aa` takes three steps, with a blank between
    loss = ctc_loss(logits.log_softmax(-1), torch.tensor([1, 1, 1]), lengths)
    assert loss.item() == pytest.approx(-math.log(0.64) / 2)
    loss.backward()
    assert logits.grad[0].abs().min() > 0.01
    assert not logits.grad[1].any()
