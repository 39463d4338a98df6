"""The head that guides training: what it learns and teaches, and that it leaves no trace."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from training import copy_of, small_checkpoint

from crnn_edge.charset import Charset
from crnn_edge.labels import LabelledFolder
from crnn_edge.preprocess import Preprocess
from model.data.batching import Batch, Chunks
from model.data.datasets import Mixture, Part
from model.network.checkpoint import read_safetensors
from model.network.config import ModelConfig
from model.network.crnn import CRNN
from model.qat import Rounded
from model.train import Trainer, main
from model.training.config import LAST, parse
from model.training.guide import REACH, SIZE, Guide
from model.training.losses import Losses

DIGITS = Charset(tuple("0123456789"))
SMALL = ModelConfig("small", (8, 16, 16, 32, 32, 32, 32), 32, 1, DIGITS.num_classes)


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen pictures of numbers of four digits."""
    folder = tmp_path_factory.mktemp("crops")
    lines = []
    for number, text in enumerate(str(1000 + k * 7919 % 9000) for k in range(16)):
        image = np.full((36, 96), 230, dtype=np.uint8)
        cv2.putText(image, text, (10, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 20, 2)
        cv2.imwrite(str(folder / f"{number}.png"), image)
        lines.append(f"{number}.png\t{text}\n")
    (folder / "labels.tsv").write_text("".join(lines))
    return folder


@pytest.fixture(scope="module")
def batch(crops: Path) -> Batch:
    """All of them."""
    mixture = Mixture([Part(LabelledFolder(crops))], seed=3)
    return Chunks(mixture, Preprocess(), DIGITS, batch_size=16, batches=1)[0][0]


def make_losses(dtype: torch.dtype | None = None, view: type[nn.Module] | None = None) -> Losses:
    torch.manual_seed(0)
    model = CRNN(SMALL)
    return Losses(model, view(model) if view else model, Guide.of(model), None, dtype).train()


def random_texts(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randint(1, DIGITS.num_classes, (sum(lengths),)), torch.tensor(lengths)


def test_a_batch_costs_what_its_members_cost() -> None:
    torch.manual_seed(0)
    guide, features = Guide(16, DIGITS.num_classes), torch.randn(3, 12, 16)
    targets, lengths = random_texts(1, 9, 4)
    alone = [
        guide(features[i : i + 1], text, lengths[i : i + 1])
        for i, text in enumerate(targets.split(lengths.tolist()))
    ]
    torch.testing.assert_close(guide(features, targets, lengths), sum(alone) / 3)


def test_a_head_that_seeks_a_character_is_not_told_it() -> None:
    """What it gives to all characters that might stand in a place sums to 1."""
    torch.manual_seed(0)
    guide, features = Guide(16, DIGITS.num_classes), torch.randn(1, 12, 16)
    guide.right.load_state_dict(guide.left.state_dict())
    with torch.no_grad():
        guide.names.weight.mul_(10)
        guide.names.bias[0] = -1e9  # the blank
        losses = [guide(features, torch.tensor([c]), torch.tensor([1])) for c in range(1, 11)]
    assert max(losses) - min(losses) > 1
    assert sum(torch.exp(-loss) for loss in losses) == pytest.approx(1, abs=1e-5)


def test_a_character_is_sought_by_five_before_and_five_behind_it() -> None:
    guide, told = Guide(16, DIGITS.num_classes), {}
    guide.embedding.weight.data.copy_(torch.arange(11.0)[:, None].expand(11, SIZE))
    for side in ("left", "right"):
        reader = guide.get_submodule(side)
        reader.register_forward_pre_hook(
            lambda _, inputs, side=side: told.update({side: inputs[0]})
        )
    text = [3, 1, 4, 1, 5, 9, 2, 6]
    guide(torch.randn(1, 12, 16), torch.tensor(text), torch.tensor([len(text)]))
    beyond = [0] * REACH
    for place in range(len(text)):
        left = (beyond + text[:place])[-REACH:]
        right = (text[place + 1 :] + beyond)[:REACH]
        for side, expected in (("left", left), ("right", right)):
            assert told[side][0, place].view(REACH, SIZE)[:, 0].tolist() == expected


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_the_head_teaches_all_but_the_last_layer(batch, dtype) -> None:
    losses = make_losses(dtype)
    loss = losses(*batch[:3])["guide"]
    assert loss.dtype == torch.float32
    loss.backward()
    moved = {name for name, p in losses.named_parameters() if p.grad is not None and p.grad.any()}
    every = {name for name, _ in losses.named_parameters()}
    assert every - moved == {"view.linears.0.weight", "view.linears.0.bias"}


def test_a_quantized_view_is_guided_too(batch) -> None:
    losses = make_losses(view=Rounded)
    losses(*batch[:3])["guide"].backward()
    assert losses.view.model.backbone[0].weight.grad.any()
    assert not losses.view.model.backbone[1].training  # batch-norm, which such a view wants fixed


def test_the_head_learns_to_name_what_it_sees(batch) -> None:
    losses = make_losses()
    optimizer = torch.optim.AdamW(losses.parameters(), 5e-3)
    course = []
    for _ in range(70):
        loss = losses(*batch[:3])["guide"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        course.append(loss.item())
    assert course[-1] < course[0] / 2
    others = batch._replace(tensor=batch.tensor.roll(1, 0))  # the texts of other pictures
    assert losses(*others[:3])["guide"].item() > 2 * course[-1]


def halves(batch: Batch) -> list[Batch]:
    texts = batch.targets.split(batch.lengths.tolist())
    return [
        batch._replace(
            tensor=batch.tensor[i::2], targets=torch.cat(texts[i::2]), lengths=batch.lengths[i::2]
        )
        for i in range(2)
    ]


def gradients(losses: nn.Module, batch: Batch) -> list[torch.Tensor]:
    losses.zero_grad()
    sum(losses(*batch[:3]).values()).backward()
    return [p.grad.clone() for p in losses.parameters()]


def one_of_two(rank: int, folder: Path, batch: Batch) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    losses = DistributedDataParallel(make_losses())
    for _ in range(2):  # the second finds out whether any parameter was left out in the first
        found = gradients(losses, halves(batch)[rank])
    torch.save(found, folder / f"{rank}.pt")
    dist.barrier()
    del losses
    dist.destroy_process_group()


def test_two_processes_join_their_gradients(batch, tmp_path) -> None:
    torch.multiprocessing.spawn(one_of_two, (tmp_path, batch), nprocs=2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as they have: sums in another order differ by more than this allows
    try:
        both = [gradients(make_losses(), half) for half in halves(batch)]
    finally:
        torch.set_num_threads(threads)
    for rank in range(2):
        for found, one, other in zip(torch.load(tmp_path / f"{rank}.pt"), *both, strict=True):
            torch.testing.assert_close(found, (one + other) / 2, atol=1e-5, rtol=1e-4)


class Stopping(Trainer):
    """One that is interrupted in its seventh step."""

    def train_step(self, batch: Batch) -> dict[str, float]:
        self.stopping = self.state.step == 6
        return super().train_step(batch)


def argv(crops: Path, out: Path, *more: str) -> list[str]:
    data = f"--data {crops} --synth 0 --eval {copy_of(crops)} --charset 0123456789"
    rest = f"--out {out} --batch 4 --steps 20 --workers 0 --precision fp32 --threads 1"
    return [*data.split(), *rest.split(), *more]


def test_a_guided_run_goes_on_exactly_and_its_checkpoints_are_as_ever(crops, tmp_path) -> None:
    whole, cut, alone = (tmp_path / name for name in ("whole", "cut", "alone"))
    assert main(argv(crops, whole, "--guide-weight", "0.5")) == 0
    assert main(argv(crops, cut, "--guide-weight", "0.5"), kind=Stopping) == 130
    assert json.loads(read_safetensors(cut / LAST)[1]["step"]) == 7
    assert main(["--out", str(cut), "--resume"]) == 0
    assert main(argv(crops, alone)) == 0
    one, other, bare = (read_safetensors(run / LAST)[0] for run in (whole, cut, alone))
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=0, atol=0, msg=name)
    assert {name for name in one if name.startswith("guide/")}
    assert {name for name in bare if not name.startswith("optimizer/")} == {
        name for name in one if not name.startswith(("optimizer/", "guide/"))
    }
    assert not torch.equal(one["model/backbone.0.weight"], bare["model/backbone.0.weight"])
    for name in ("best", "final"):
        guided, plain = (read_safetensors(r / f"{name}.safetensors")[0] for r in (whole, alone))
        assert {k: v.shape for k, v in guided.items()} == {k: v.shape for k, v in plain.items()}
    log = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert {"loss", "guide"} < log[0].keys()


def test_the_heads_loss_counts_as_much_as_is_said(crops, tmp_path) -> None:
    start, taught = small_checkpoint(tmp_path / "small.safetensors"), []
    for weight in ("0.5", "2"):
        more = ["--guide-weight", weight, "--clip", "1e9", "--finetune", str(start)]
        trainer = Trainer(parse(argv(crops, tmp_path / weight, *more)))
        trainer.train_step(next(trainer.batches()))
        taught.append(trainer.state.guide.names.weight.grad)
    assert taught[0].abs().max() > 1e-3
    torch.testing.assert_close(taught[1], 4 * taught[0])


def test_what_counts_less_than_nothing_is_refused(crops, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        main(argv(crops, tmp_path / "run", "--guide-weight", "-1"))
    assert "--guide-weight cannot be negative" in capsys.readouterr().err
