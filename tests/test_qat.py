"""Quantization-aware fine-tuning: it sees what INT8 will be, and wins back what that costs."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from torch import nn
from training import copy_of

from crnn_edge.backends import open_backend
from crnn_edge.cli.run import run_command
from export.onnx import convert
from model import qat
from model.network import fake_quantization
from model.network.bundled import DEFAULT_CHECKPOINT
from model.network.checkpoint import load_checkpoint
from model.network.crnn import CRNN
from model.network.fake_quantization import (
    FakeQuantized,
    fake_quantize_activation,
    fake_quantize_weight,
)
from model.network.fusion import fused
from model.train import main as train
from model.training.arguments import STATE_FILE
from model.training.qat import QatTrainer, train_quantized
from quantize.calibration import MIN_CROPS, LabelledCrops
from quantize.onnx import quantize
from tests.test_export import tiny_checkpoint


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of a few letters, and a small untrained network that knows these letters."""
    folder = tmp_path_factory.mktemp("qat")
    crops = folder / "crops"
    crops.mkdir()
    lines = []
    for number in range(2 * MIN_CROPS):
        text = "".join("abcdefghij"[int(digit)] for digit in str(number * 7919 % 1000))
        image = np.full((36, 24 + 20 * len(text)), 230, dtype=np.uint8)
        cv2.putText(image, text, (10, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 20, 2)
        cv2.imwrite(str(crops / f"{number}.png"), image)
        lines.append(f"{number}.png\t{text}\n")
    (crops / "labels.tsv").write_text("".join(lines))
    tiny_checkpoint(folder / "tiny.safetensors")
    return folder


def common(home: Path, out: Path) -> list[str]:
    """What every run here has in common."""
    crops = f"--data {home / 'crops'} --eval {copy_of(home / 'crops')} --synth 0"
    more = f"--augment 0 --batch 8 --out {out} --workers 0 --amp fp32 --threads 1 --ema 0.9"
    return f"{crops} {more}".split()


def fine_tune(
    home: Path, start: Path, out: Path, *argv: object, kind: type[QatTrainer] = QatTrainer
) -> int:
    fixed = [start, *common(home, out)]
    config, resume = qat.parse([str(value) for value in (*fixed, *argv)])

    def work() -> int:
        result = train_quantized(config, resume=resume, trainer=kind)
        print(result.table())
        return result.run.exit_code

    return run_command(work)


def test_a_weight_takes_few_values_in_each_channel_and_keeps_its_largest() -> None:
    weight = torch.randn(5, 3, 3, 3) * torch.logspace(-3, 3, 5)[:, None, None, None]
    rounded = fake_quantize_weight(weight, levels=3)
    for before, after in zip(weight, rounded, strict=True):
        assert len(after.unique()) <= 7
        torch.testing.assert_close(after.abs().max(), before.abs().max())
        assert (after - before).abs().max() <= before.abs().max() / 6 * 1.001


def test_an_activation_takes_256_values_of_which_0_is_one() -> None:
    for x in (torch.randn(2000) + 0.5, torch.rand(2000), torch.zeros(7)):
        rounded = fake_quantize_activation(torch.cat([x, torch.zeros(1)]))
        assert len(rounded.unique()) <= 256
        assert rounded[-1] == 0
        assert (rounded[:-1] - x).abs().max() <= (x.max() - min(0, x.min())) / 510 * 1.01 + 1e-6


@pytest.mark.parametrize("sign", [1, -1])
def test_an_activation_far_from_0_is_rounded_as_if_0_were_among_it(sign: int) -> None:
    x = sign * torch.linspace(5, 6, 1001)
    rounded = fake_quantize_activation(x)
    steps = rounded * 255 / 6
    torch.testing.assert_close(steps, steps.round(), atol=1e-4, rtol=0)
    assert len(rounded.unique()) == 44  # of the 256 from 0 to 6, those from 5 (212.5) on
    assert (rounded - x).abs().max() <= 6 / 510 * 1.001


def test_the_gradient_goes_straight_through() -> None:
    weight = torch.randn(2, 1, 3, 3, requires_grad=True)
    fake_quantize_weight(weight, levels=2).sum().backward()
    torch.testing.assert_close(weight.grad, torch.ones_like(weight))


def test_rounding_before_batch_norm_is_rounding_after_folding(tmp_path: Path) -> None:
    model = tiny_checkpoint(tmp_path / "tiny.safetensors").model
    folded = fused(model)
    later = [m for m in folded.backbone.modules() if isinstance(m, nn.Conv2d)][1:]
    with torch.no_grad():
        for convolution in later:
            convolution.weight.copy_(fake_quantize_weight(convolution.weight))
        tensor = torch.randn(2, 1, 32, 64)
        view = FakeQuantized(model).eval()
        view._relus = []  # activations are not in question
        torch.testing.assert_close(view(tensor), folded(tensor), atol=1e-4, rtol=1e-4)
        assert (view(tensor) - model(tensor)).abs().max() > 1e-2


def test_what_every_relu_gives_is_rounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, rounded = tiny_checkpoint(tmp_path / "tiny.safetensors").model, []

    def watched(x: torch.Tensor) -> torch.Tensor:
        rounded.append(x.shape[1])
        return fake_quantize_activation(x)

    monkeypatch.setattr(fake_quantization, "fake_quantize_activation", watched)
    FakeQuantized(model)(torch.randn(1, 1, 32, 64))
    convolutions = [m for m in model.backbone.modules() if isinstance(m, nn.Conv2d)]
    assert rounded == [m.out_channels for m in convolutions]


def test_a_view_leaves_the_network_as_it_is(tmp_path: Path) -> None:
    model = tiny_checkpoint(tmp_path / "tiny.safetensors").model
    tensor = torch.randn(2, 1, 32, 64)
    before, state = model(tensor), {k: v.clone() for k, v in model.state_dict().items()}
    view = FakeQuantized(model, levels=2).train()
    assert (view(tensor) - before).abs().max() > 0.1
    torch.testing.assert_close(model.eval()(tensor), before)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)  # batch-norm's, too


def test_training_sees_what_the_int8_file_computes(home: Path, tmp_path: Path) -> None:
    """With the LSTM in float, on the picture that gave the ranges."""
    checkpoint = load_checkpoint()
    for index in range(MIN_CROPS):
        (tmp_path / f"{index}.png").write_bytes((home / "crops" / "3.png").read_bytes())
    (tmp_path / "labels.tsv").write_text("".join(f"{k}.png\t57\n" for k in range(MIN_CROPS)))
    crops = LabelledCrops.load(tmp_path)
    convert(checkpoint, tmp_path / "fp32.onnx")
    quantize(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", crops, ["lstm1", "linear1"])
    for stored, folded in zip(
        convolution_weights(tmp_path / "int8.onnx"), folded_weights(checkpoint.model), strict=True
    ):
        differs = np.abs(stored - fake_quantize_weight(folded).numpy()) > 1e-4 * stored.max()
        assert differs.mean() < 1e-3  # at a tie, float rounding decides
    tensor = next(crops.tensors(checkpoint.manifest.preprocess))
    with torch.no_grad():
        seen = FakeQuantized(checkpoint.model).eval()(torch.from_numpy(tensor)).numpy()
    computed, fp32 = (open_backend(tmp_path / f"{p}.onnx")(tensor) for p in ("int8", "fp32"))
    # Ties again, which seven layers multiply: a perfect twin would be at 0.
    assert np.abs(seen - computed).mean() < 0.75 * np.abs(fp32 - computed).mean()


def convolution_weights(path: Path) -> list[np.ndarray]:
    """What the INT8 convolutions of a file multiply with, as floats."""
    graph = onnx.load(path).graph
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    nodes = [made_by.get(node.input[1]) for node in graph.node if node.op_type == "Conv"]
    pairs = [[constants[name] for name in node.input[:2]] for node in nodes if node]
    return [steps * scale[:, None, None, None] for steps, scale in pairs]


def folded_weights(model: CRNN) -> list[torch.Tensor]:
    layers = fused(model).backbone.modules()
    return [m.weight.detach() for m in layers if isinstance(m, nn.Conv2d)][1:]


def test_fine_tuning_wins_back_what_two_bits_cost(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class TwoBits(QatTrainer):
        levels = 1

    run = tmp_path / "run"
    assert fine_tune(home, DEFAULT_CHECKPOINT, run, "--steps", 240, "--lr", 2e-3, kind=TwoBits) == 0
    printed = capsys.readouterr().out
    rows = [line.strip("|").split("|") for line in printed.splitlines() if line.startswith("|")]
    exact = {row[0].strip(): float(row[1].split("±")[0]) for row in rows[2:]}
    assert exact["checkpoint, float"] > 90
    assert exact["checkpoint, INT8"] < 30
    assert exact["fine-tuned, INT8"] > 70
    assert f"n = {2 * MIN_CROPS}" in printed
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert log[-1]["exact"] == pytest.approx(exact["fine-tuned, INT8"] / 100, abs=0.001)


def test_the_result_is_a_checkpoint_like_any_other(home: Path, tmp_path: Path) -> None:
    assert fine_tune(home, home / "tiny.safetensors", tmp_path / "run", "--steps", 2) == 0
    before = load_checkpoint(home / "tiny.safetensors")
    after = load_checkpoint(tmp_path / "run" / "final.safetensors")
    assert after.config == before.config
    assert [parent.how for parent in after.manifest.parents] == ["finetuned"]
    running = "backbone.1.running_mean"
    torch.testing.assert_close(
        after.model.state_dict()[running], before.model.state_dict()[running]
    )
    convert(after, tmp_path / "x.onnx")
    tensor = np.random.default_rng(0).normal(size=(1, 1, 32, 64)).astype(np.float32)
    with torch.no_grad():
        expected = after.model(torch.from_numpy(tensor)).numpy()
    np.testing.assert_allclose(open_backend(tmp_path / "x.onnx")(tensor), expected, atol=1e-3)


def test_a_run_is_resumed_by_the_command_that_began_it(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert fine_tune(home, home / "tiny.safetensors", run, "--steps", 1, "--lr", 1e-5) == 0
    with pytest.raises(SystemExit):
        train(["--out", str(run), "--resume"])
    assert "contains a run of `python -m model.qat`" in capsys.readouterr().err
    before = (run / STATE_FILE).read_bytes()
    assert qat.main(["--out", str(run), "--resume"]) == 0
    assert (run / STATE_FILE).read_bytes() == before


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        qat.main(["--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert "python -m export.all" in printed
    assert "(default: 0.0001)" in " ".join(printed.split())


def test_what_is_no_checkpoint_is_said_so(home: Path, tmp_path: Path, capsys) -> None:
    argv = [str(tmp_path / "none.safetensors"), *common(home, tmp_path / "run")]
    assert qat.main(argv) == 1
    assert "no checkpoint at" in capsys.readouterr().err
