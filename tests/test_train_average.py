"""Which of a run's two networks counts: the average of its weights, not those of its last step."""

from __future__ import annotations

import pytest
import torch
from training import DIGITS, options, small_checkpoint, weights

from crnn_edge.metrics import score
from model.network.config import NetworkConfig
from model.network.crnn import CRNN
from model.network.safetensors_file import read_safetensors
from model.train import main
from model.training.state import Ema


def group(tensors: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(name): v for k, v in tensors.items() if k.startswith(name)}


def test_each_step_moves_the_average_by_its_own_share() -> None:
    model = CRNN(NetworkConfig("small", (4,) * 7, 8, 1, DIGITS.num_classes))
    with torch.no_grad():
        model.linears[0].bias.fill_(0)
    ema = Ema(model, 0.9)
    # 0.9 of the old from step 80 on: 0.1, 0.29, 0.561; before, (1 + step) / (10 + step).
    for step, value, expected in ((998, 1, 0.1), (999, 2, 0.29), (1000, 3, 0.561)):
        with torch.no_grad():
            model.linears[0].bias.fill_(value)
        ema.update(model, step)
        assert ema.model.linears[0].bias.tolist() == pytest.approx([expected] * 11)
    ema.update(model, 2)  # 3 / 12 of the old
    assert ema.model.linears[0].bias.tolist() == pytest.approx([0.14025 + 2.25] * 11)


def test_the_average_is_measured_and_saved_and_nothing_else(numbers, tmp_path, monkeypatch) -> None:
    measured = []

    def evaluate(backend: object, samples: list) -> object:
        measured.append({k: v.clone() for k, v in backend.model.state_dict().items()})
        return score(["1"] * len(samples), ["1"] * len(samples))

    monkeypatch.setattr("model.training.trainer.score_greedily", evaluate)
    monkeypatch.setattr("model.training.run_folder.plot_history", lambda *_: None)  # takes seconds
    start = small_checkpoint(tmp_path / "small.safetensors")
    run = tmp_path / "run"
    assert main(options(numbers, run, "--steps", "2", "--finetune", str(start))) == 0
    last = weights(run)
    average, trained = group(last, "ema/"), group(last, "model/")
    assert not torch.equal(average["linears.0.weight"], trained["linears.0.weight"])
    assert len(measured) == 1
    for name, value in average.items():
        assert torch.equal(measured[0][name], value), name
    for file in ("best", "final"):
        saved = read_safetensors(run / f"{file}.safetensors")[0]
        assert saved.keys() == average.keys()
        for name, value in average.items():
            assert torch.equal(saved[name], value.to(saved[name].dtype)), name


def test_the_average_has_the_statistics_of_the_network() -> None:
    model = CRNN(NetworkConfig("small", (4,) * 7, 8, 1, DIGITS.num_classes))
    ema, before = Ema(model, 0.9), [buffer.clone() for buffer in model.buffers()]
    model.train()(torch.randn(2, 1, 32, 64) + 1)
    ema.update(model, 1000)
    assert all(map(torch.equal, ema.model.buffers(), model.buffers()))
    assert not any(map(torch.equal, ema.model.buffers(), before))
