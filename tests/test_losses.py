"""What the CTC loss is worth, in nats a text."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from test_ctc import GOLDEN
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from model.network.config import NetworkConfig
from model.network.crnn import CRNN
from model.training.losses import Losses, ctc_loss


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


Images = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def make_losses() -> Losses:
    torch.manual_seed(0)
    model = CRNN(NetworkConfig("small", (8, 16, 16, 32, 32, 32, 32), 32, 1, 11))
    return Losses(model, None, None).train()


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
