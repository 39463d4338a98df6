from __future__ import annotations

import dataclasses

import pytest
import torch

from crnn_edge.errors import CrnnError
from model.network.config import NetworkConfig
from model.network.crnn import CRNN
from model.network.fusion import num_parameters
from model.network.net2net import grow
from model.train import main

SMALL = NetworkConfig(
    name="small", channels=(4, 4, 8, 8, 8, 8, 8), lstm_hidden=8, lstm_layers=1, num_classes=7
)
LARGE = dataclasses.replace(SMALL, name="large", channels=(6, 8, 8, 12, 8, 16, 12), lstm_hidden=16)


@pytest.fixture(scope="module")
def trained() -> CRNN:
    """A network whose batch-norms have seen data, and which is sure of something."""
    torch.manual_seed(0)
    model = CRNN(SMALL).train()
    for _ in range(3):
        model(torch.randn(4, 1, 32, 64) * 2 + 1)
    with torch.no_grad():
        model.linears[0].weight *= 100
        model.linears[0].bias -= model.eval()(torch.randn(4, 1, 32, 96)).mean((0, 1))
    return model


def test_a_wider_network_starts_with_the_logits_of_the_small_one(trained) -> None:
    tensor = torch.randn(3, 1, 32, 96)
    large = grow(trained, LARGE).eval()
    assert num_parameters(large) > 2 * num_parameters(trained)
    torch.testing.assert_close(large(tensor), trained(tensor), atol=1e-5, rtol=1e-5)


def test_a_deeper_network_starts_with_the_reading_of_the_small_one(trained) -> None:
    tensor = torch.randn(3, 1, 32, 96)
    deep = grow(trained, dataclasses.replace(LARGE, lstm_layers=3)).eval()
    expected = trained(tensor).argmax(-1)
    assert len(expected.unique()) > 1
    assert torch.equal(deep(tensor).argmax(-1), expected)


@pytest.mark.parametrize("layers", [2, 3])
def test_a_deeper_network_starts_with_about_the_logits_of_the_small_one(trained, layers) -> None:
    tensor = torch.randn(3, 1, 32, 96)
    deep = grow(trained, dataclasses.replace(LARGE, lstm_layers=layers)).eval()(tensor)
    expected = trained(tensor)
    near = expected.abs() < 1
    assert (deep - expected)[near].abs().max() < 0.1 * (layers - 1)  # a further layer takes a tenth
    assert 1 < deep.abs().max() < expected.abs().max()  # what is large is compressed


def test_a_wider_last_kernel_sees_its_old_columns(trained) -> None:
    tensor = torch.randn(3, 1, 32, 96)
    columns = grow(trained, dataclasses.replace(LARGE, final_kernel=(2, 2))).eval().backbone(tensor)
    expected = trained.backbone(tensor)[..., :-1]
    torch.testing.assert_close(columns[:, : SMALL.channels[-1]], expected, atol=1e-5, rtol=1e-5)


def test_new_units_learn_from_the_second_step_on(trained) -> None:
    large = grow(trained, dataclasses.replace(LARGE, lstm_layers=2)).train()
    optimizer = torch.optim.SGD(large.parameters(), 1e-2)
    for _ in range(2):  # the first step opens their ways out
        optimizer.zero_grad()
        large(torch.randn(3, 1, 32, 96)).logsumexp(-1).sum().backward()
        optimizer.step()
    assert not [
        name for name, weight in large.named_parameters() if not weight.grad.abs().sum() > 0
    ]


@pytest.mark.parametrize(
    "smaller", [{"lstm_hidden": 4}, {"channels": (4, 4, 8, 8, 8, 8, 4)}, {"num_classes": 6}]
)
def test_nothing_grows_into_something_smaller(trained, smaller) -> None:
    with pytest.raises(CrnnError, match="cannot grow"):
        grow(trained, dataclasses.replace(SMALL, **smaller))


def test_fewer_layers_or_too_few_units_to_hand_on_are_refused(trained) -> None:
    two = grow(trained, dataclasses.replace(LARGE, lstm_layers=2))
    with pytest.raises(CrnnError, match="cannot grow"):
        grow(two, LARGE)
    many = dataclasses.replace(SMALL, num_classes=20)  # its layers would pass on 8 values
    with pytest.raises(CrnnError, match="cannot grow"):
        grow(CRNN(many), dataclasses.replace(many, lstm_layers=2))


def test_two_starts_are_refused(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--grow", "a", "--finetune", "b"])
    assert "give only one of" in capsys.readouterr().err


@pytest.mark.parametrize("other", [{"height": 64}, {"stride": 8}, {"num_classes": 9}])
def test_a_network_that_sees_or_says_something_else_cannot_be_grown(trained, other) -> None:
    with pytest.raises(CrnnError, match=f"cannot grow into large: {next(iter(other))} is"):
        grow(trained, dataclasses.replace(LARGE, **other))
