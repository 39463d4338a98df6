"""What the CTC loss is worth, in nats a text."""

from __future__ import annotations

import math
from itertools import groupby, product
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from test_ctc import GOLDEN
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from model.network.config import NetworkConfig
from model.network.crnn import CRNN
from model.training.losses import TrainingLoss, count_as_blank, ctc_loss


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


def collapsed(path: tuple[int, ...], unlabelled: set[int]) -> list[int]:
    """The text of a path in which unlabelled classes count as blank."""
    return [k for k, _ in groupby(0 if k in unlabelled else k for k in path) if k]


@pytest.mark.parametrize("classes", [set(), {3}, {2, 3}])
def test_unlabelled_characters_count_as_blank(classes: set[int]) -> None:
    torch.manual_seed(len(classes))
    logits = torch.randn(2, 5, 4, requires_grad=True)
    text, unlabelled = [1, 1], torch.zeros(2, 4, dtype=torch.bool)
    unlabelled[1, list(classes)] = True
    log_probs = logits.log_softmax(-1)
    folded = count_as_blank(log_probs, unlabelled)
    loss = ctc_loss(folded, torch.tensor(text * 2), torch.tensor([2, 2]))
    sums = [
        sum(
            (
                log_probs[row, range(5), path].sum().exp()
                for path in product(range(4), repeat=5)
                if collapsed(path, ignored) == text
            ),
            torch.tensor(0.0),
        )
        for row, ignored in enumerate([set(), classes])
    ]
    expected = -torch.stack(sums).log().sum() / 2
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    gradient, exact = (
        torch.autograd.grad(x, logits, retain_graph=True)[0] for x in (loss, expected)
    )
    torch.testing.assert_close(gradient, exact)


class Fixed(nn.Module):
    """A network with one output, whatever the image."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, _tensor: torch.Tensor) -> torch.Tensor:
        return self.logits


def test_an_unlabelled_mark_that_is_certain_costs_nothing() -> None:
    path = [1, 0, 3, 0, 2]  # the dash, 3, is not in the text
    logits = nn.functional.one_hot(torch.tensor([path]), 4) * 40.0
    logits.requires_grad_()
    unlabelled = torch.tensor([[False, False, False, True]])
    losses = TrainingLoss(Fixed(logits), None, None)
    batch = torch.zeros(1, 1, 32, 64), torch.tensor([1, 2]), torch.tensor([2])
    assert losses(*batch)["loss"].item() > 30
    loss = losses(*batch, unlabelled)["loss"]
    assert loss.item() == pytest.approx(0, abs=1e-5)
    loss.backward()
    assert logits.grad.abs().max() < 1e-5


Images = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def make_losses() -> TrainingLoss:
    torch.manual_seed(0)
    model = CRNN(NetworkConfig("small", (8, 16, 16, 32, 32, 32, 32), 32, 1, 11))
    return TrainingLoss(model, None, None).train()


def images(rank: int) -> Images:
    generator = torch.Generator().manual_seed(rank)
    tensor = torch.randn(4, 1, 32, 64, generator=generator)
    return tensor, torch.randint(1, 11, (8,), generator=generator), torch.tensor([1, 3, 2, 2])


def gradients(losses: nn.Module, batch: Images) -> list[torch.Tensor]:
    losses.zero_grad()
    sum(losses(*batch).values()).backward()
    return [p.grad.clone() for p in losses.parameters()]


def one_of_two(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    losses = DistributedDataParallel(make_losses())
    for _ in range(2):  # the second step fails if the first left a parameter out
        found = gradients(losses, images(rank))
    torch.save(found, folder / f"{rank}.pt")
    dist.barrier()
    del losses
    dist.destroy_process_group()


def test_two_processes_average_their_gradients(tmp_path) -> None:
    torch.multiprocessing.spawn(one_of_two, (tmp_path,), nprocs=2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the processes: another order of summation differs by more
    try:
        both = [gradients(make_losses(), images(rank)) for rank in range(2)]
    finally:
        torch.set_num_threads(threads)
    for rank in range(2):
        for found, one, other in zip(torch.load(tmp_path / f"{rank}.pt"), *both, strict=True):
            torch.testing.assert_close(found, (one + other) / 2, atol=1e-5, rtol=1e-4)
