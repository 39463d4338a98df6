"""Branches train beside the convolutions, and are gone from whatever is exported."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from training import copy_of, run

from crnn_edge.backends import open_backend
from crnn_edge.charset import Charset
from crnn_edge.errors import CrnnError
from crnn_edge.manifest import Manifest
from export.onnx import convert
from model.average import main as average
from model.data.batching import Batch
from model.network.checkpoint import load_checkpoint, save_checkpoint
from model.network.config import NetworkConfig
from model.network.crnn import CRNN
from model.network.fusion import fused, num_parameters, with_reparam, without_reparam
from model.network.net2net import grow
from model.network.reparam import RepVGGBlock
from model.network.safetensors_file import read_safetensors
from model.qat import main as qat
from model.train import main
from model.training.arguments import STATE_FILE
from model.training.trainer import Trainer

CHARSET = Charset(tuple("0123456789"))
PLAIN = NetworkConfig(
    "tiny", (4, 4, 8, 8, 8, 8, 8), 8, lstm_layers=1, num_classes=CHARSET.num_classes
)
BRANCHED = dataclasses.replace(PLAIN, reparam=True)
MANIFEST = Manifest(name="tiny", charset=CHARSET)


def trained_looking(config: NetworkConfig) -> CRNN:
    """A network, all of whose batch-norms have seen data, with gains and biases of their own."""
    torch.manual_seed(0)
    model = CRNN(config).train()
    for norm in norms(model):
        nn.init.uniform_(norm.weight, -1, 2)
        nn.init.normal_(norm.bias)
    for _ in range(5):
        model(torch.randn(4, 1, 32, 64) * 2 + 1)
    with torch.no_grad():
        model.linears[0].weight *= 20
    return model.eval()


def norms(model: CRNN) -> list[nn.BatchNorm2d]:
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


def branches(model: CRNN) -> list[RepVGGBlock]:
    return [m for m in model.modules() if isinstance(m, RepVGGBlock)]


def shapes(model: CRNN) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in model.state_dict().items()}


def checkpoint(path: Path, config: NetworkConfig) -> Path:
    save_checkpoint(path, trained_looking(config), MANIFEST, half=False)
    return path


def test_every_padded_convolution_has_branches_and_an_identity_where_channels_allow() -> None:
    found = branches(CRNN(BRANCHED))
    assert [b.conv.in_channels for b in found] == [1, *PLAIN.channels[:5]]
    assert [b.identity is not None for b in found] == [False, True, False, True, True, True]
    assert not branches(CRNN(PLAIN))


def test_folding_merges_branches_into_what_the_plain_network_folds_to() -> None:
    model, tensor = trained_looking(BRANCHED), torch.randn(2, 1, 32, 96)
    expected = model(tensor)
    assert expected.abs().max() > 1
    for network in (fused(model), without_reparam(model)):
        assert not branches(network)
        torch.testing.assert_close(network(tensor), expected, atol=1e-4, rtol=1e-4)
    assert shapes(fused(model)) == shapes(fused(CRNN(PLAIN)))
    assert shapes(without_reparam(model)) == shapes(CRNN(PLAIN))
    assert fused(model).config == without_reparam(model).config == PLAIN
    assert num_parameters(model) == num_parameters(CRNN(PLAIN))
    torch.testing.assert_close(model(tensor), expected, rtol=0, atol=0)  # it stays as it is


def test_a_merged_batch_norm_has_the_statistics_of_what_it_is_given() -> None:
    """Nearly: of pictures of noise, which no two branches see alike."""
    torch.manual_seed(0)
    branch, x = RepVGGBlock(nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)), None
    for norm in (branch.norm, branch.point_norm, branch.identity):
        nn.init.uniform_(norm.weight, -1, 2)
        nn.init.normal_(norm.bias)
    for _ in range(60):
        x = torch.randn(8, 64, 16, 16) * 2 + 1
        branch.train()(x)
    conv, norm = branch.eval().fuse()
    expected, given = branch(x), conv(x)
    torch.testing.assert_close(norm(given), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(norm.running_mean, given.mean((0, 2, 3)), atol=0.1, rtol=0.1)
    torch.testing.assert_close(norm.running_var, given.var((0, 2, 3)), atol=0, rtol=0.5)
    torch.testing.assert_close(norm.train()(given), expected, atol=1, rtol=0.3)


def test_merged_branches_that_add_nothing_train_as_if_they_had_not_been_there() -> None:
    plain, tensor = trained_looking(PLAIN), torch.randn(3, 1, 32, 96)
    for norm in norms(plain)[:3]:
        nn.init.zeros_(norm.weight[:2])  # nor do these channels
    merged = without_reparam(with_reparam(plain))
    torch.testing.assert_close(merged(tensor), plain(tensor), atol=1e-3, rtol=1e-3)
    merged, plain = merged.train(), plain.train()
    torch.testing.assert_close(merged(tensor), plain(tensor), atol=1e-2, rtol=1e-2)
    for network in (merged, plain):
        network(tensor).logsumexp(-1).sum().backward()
    learning = [norm.weight.grad[:2].bool() for norm in norms(plain)[:3]]
    assert torch.stack(learning).any()
    convs = [m for m in merged.modules() if isinstance(m, nn.Conv2d)]
    for conv, expected in zip(convs, learning, strict=False):
        assert torch.equal(conv.weight.grad[:2].flatten(1).any(1), expected)


def test_each_branch_counts() -> None:
    tensor = torch.randn(1, 1, 32, 64)
    for part in ("norm", "point_norm", "identity"):
        model = trained_looking(BRANCHED)
        before = model(tensor)
        for branch in branches(model):
            if (norm := getattr(branch, part)) is not None:
                nn.init.zeros_(norm.weight)
        assert (model(tensor) - before).abs().max() > 0.1
        torch.testing.assert_close(fused(model)(tensor), model(tensor), atol=1e-4, rtol=1e-4)


def test_added_branches_change_nothing_at_first_and_all_learn() -> None:
    plain, tensor = trained_looking(PLAIN), torch.randn(3, 1, 32, 96)
    model = with_reparam(plain)
    assert len(branches(model)) == 6
    assert not branches(plain)
    assert torch.equal(model(tensor), plain(tensor))
    assert not any(module.training for module in model.modules())  # as the plain one was
    assert torch.equal(model.train()(tensor), plain.train()(tensor))
    assert with_reparam(model) is model
    optimizer = torch.optim.SGD(model.parameters(), 1e-2)
    for _ in range(2):  # the first step opens the branches
        optimizer.zero_grad()
        model(tensor).logsumexp(-1).sum().backward()
        optimizer.step()
    assert not [name for name, weight in model.named_parameters() if not weight.grad.any()]


def test_a_backbone_without_a_place_for_branches_is_refused() -> None:
    model = CRNN(PLAIN)
    model.backbone = nn.Sequential(nn.Conv2d(1, 8, (32, 4), (32, 4)), nn.BatchNorm2d(8))
    with pytest.raises(CrnnError, match="needs a padded 3x3 convolution"):
        with_reparam(model)


def test_a_checkpoint_keeps_branches_and_old_ones_have_none(tmp_path) -> None:
    path = checkpoint(tmp_path / "a.safetensors", BRANCHED)
    loaded, model = load_checkpoint(path), trained_looking(BRANCHED)
    assert loaded.config == BRANCHED
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.model.state_dict()[name], value, rtol=0, atol=0)
    old = json.loads(PLAIN.to_json())
    del old["reparam"]
    assert NetworkConfig.from_json(json.dumps(old), "an old file") == PLAIN


def test_an_exported_file_is_that_of_a_plain_network(tmp_path) -> None:
    ops = {}
    for config in (PLAIN, BRANCHED):
        source = load_checkpoint(checkpoint(tmp_path / "a.safetensors", config))
        target = tmp_path / f"{config.reparam}.onnx"
        convert(source, target)
        ops[config] = [node.op_type for node in onnx.load(target).graph.node]
    assert ops[BRANCHED] == ops[PLAIN]
    tensor = np.random.default_rng(1).standard_normal((1, 1, 32, 64), dtype=np.float32)
    with torch.no_grad():
        expected = source.model(torch.from_numpy(tensor)).numpy()
    np.testing.assert_allclose(open_backend(target)(tensor), expected, atol=1e-3)


@pytest.mark.parametrize("small", [PLAIN, BRANCHED], ids=["plain", "branched"])
def test_a_network_grows_with_branches(small: NetworkConfig) -> None:
    trained, tensor = trained_looking(small), torch.randn(2, 1, 32, 96)
    # One more identity than the small network has: beside the third convolution.
    config = dataclasses.replace(BRANCHED, channels=(12, 12, 12, 12, 12, 12, 16), lstm_hidden=16)
    large = grow(trained, config).eval()
    assert large.config == config
    assert shapes(large) == shapes(CRNN(config))
    torch.testing.assert_close(large(tensor), trained(tensor), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("change", [{"reparam": False}, {"channels": (4, 6, 8, 8, 8, 8, 8)}])
def test_a_shape_without_a_place_for_a_branch_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(CrnnError, match="cannot grow"):
        grow(CRNN(BRANCHED), dataclasses.replace(BRANCHED, **change))


class Stopping(Trainer):
    """One that is interrupted in its third step."""

    def train_step(self, batch: Batch) -> dict[str, float]:
        self.stopping = self.state.step == 2
        return super().train_step(batch)


def argv(numbers: Path, out: Path, *more: object) -> list[str]:
    data = f"--data {numbers} --synth 0 --eval {copy_of(numbers)} --batch 2 --steps 6 --workers 0"
    return [*f"{data} --amp fp32 --threads 1 --out {out}".split(), *map(str, more)]


def test_a_branched_run_goes_on_exactly(numbers, tmp_path) -> None:
    start = checkpoint(tmp_path / "plain.safetensors", PLAIN)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(argv(numbers, whole, "--finetune", start, "--reparam")) == 0
    assert run(argv(numbers, cut, "--finetune", start, "--reparam"), Stopping) == 130
    assert json.loads(read_safetensors(cut / STATE_FILE)[1]["step"]) == 3
    assert main(["--out", str(cut), "--resume"]) == 0
    one, other = (read_safetensors(run / STATE_FILE)[0] for run in (whole, cut))
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=0, atol=0, msg=name)
    final = load_checkpoint(whole / "final.safetensors")
    assert final.config == BRANCHED
    assert all(branch.point_norm.weight.any() for branch in branches(final.model))


def test_runs_from_a_branched_checkpoint_keep_its_branches(numbers, tmp_path) -> None:
    start = checkpoint(tmp_path / "start.safetensors", BRANCHED)
    frozen = argv(numbers, tmp_path / "run", "--finetune", start, "--steps", 1, "--lr", 0)
    assert main(frozen) == 0
    final, before = (load_checkpoint(p) for p in (tmp_path / "run" / "final.safetensors", start))
    assert final.config == BRANCHED
    torch.testing.assert_close(
        branches(final.model)[0].point.weight, branches(before.model)[0].point.weight,
        atol=1e-3, rtol=1e-3,
    )  # fmt: skip
    out = tmp_path / "mean.safetensors"
    assert average([str(start), str(tmp_path / "run" / STATE_FILE), "--out", str(out)]) == 0
    assert load_checkpoint(out).config == BRANCHED


def test_a_run_from_nothing_and_a_grown_one_have_branches(numbers, tmp_path) -> None:
    start = checkpoint(tmp_path / "start.safetensors", PLAIN)
    one_step = ["--model", "crnn-lite", "--reparam", "--steps", 1]
    assert main(argv(numbers, tmp_path / "new", *one_step, "--charset", "0123456789")) == 0
    assert main(argv(numbers, tmp_path / "grown", *one_step, "--grow", start)) == 0
    new, grown = (load_checkpoint(tmp_path / r / "final.safetensors") for r in ("new", "grown"))
    assert new.config == grown.config
    assert len(branches(new.model)) == len(branches(grown.model)) == 6


def test_fine_tuning_for_int8_merges_first(numbers, tmp_path) -> None:
    """What is rounded in training must be what INT8 files round: the sum."""
    start = checkpoint(tmp_path / "start.safetensors", BRANCHED)
    run = tmp_path / "run"
    assert qat([str(start), *argv(numbers, run, "--steps", 1, "--lr", 0)]) == 0
    final, tensor = load_checkpoint(run / "final.safetensors"), torch.randn(1, 1, 32, 64)
    assert final.config == PLAIN
    expected = load_checkpoint(start).model(tensor)
    torch.testing.assert_close(final.model(tensor), expected, atol=0.05, rtol=0.05)  # fp16
