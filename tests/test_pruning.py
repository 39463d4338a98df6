from __future__ import annotations

import dataclasses

import pytest
import torch

from crnn_edge.errors import CrnnError
from model.network.config import NetworkConfig
from model.network.crnn import CRNN
from model.network.fusion import fused, num_parameters, with_reparam
from model.network.pruning import prune
from model.train import main

LARGE = NetworkConfig(
    name="large", channels=(6, 8, 8, 12, 8, 10, 12), lstm_hidden=8, lstm_layers=2, num_classes=7
)
SMALL = dataclasses.replace(LARGE, name="small", channels=(4, 8, 6, 8, 5, 8, 8), lstm_hidden=6)


@pytest.fixture(scope="module")
def trained() -> CRNN:
    """A network whose batch-norms have seen data, each channel at a scale of its own."""
    torch.manual_seed(0)
    model = CRNN(LARGE)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    for _ in range(20):
        model.train()(torch.randn(4, 1, 32, 64) * 2 + 1)
    return model.eval()


def copied(model: CRNN) -> CRNN:
    found = CRNN(model.config)
    found.load_state_dict(model.state_dict())
    return found.eval()


def idle(model: CRNN, config: NetworkConfig) -> CRNN:
    """A copy in which all units do nothing, but as many of each layer as `config` has."""
    found = copied(model)
    norms = [m for m in found.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for norm, count in zip(norms, config.channels, strict=True):
            off = torch.randperm(norm.num_features)[count:]
            norm.weight[off], norm.bias[off] = 0, 0
        for layer, (lstm, linear) in enumerate(zip(found.lstms, found.linears, strict=True)):
            for way, end in enumerate(("l0", "l0_reverse")):
                off = torch.randperm(lstm.hidden_size)[config.lstm_hidden :]
                linear.weight[:, off + way * lstm.hidden_size] = 0
                getattr(lstm, f"weight_hh_{end}")[:, off] = 0
            if layer < config.lstm_layers - 1:
                off = torch.randperm(linear.out_features)[config.lstm_hidden :]
                linear.weight[off], linear.bias[off] = 0, 0
    return found.eval()


def test_units_that_do_nothing_are_those_that_go(trained) -> None:
    model = idle(trained, SMALL)
    small = prune(model, SMALL).eval()
    assert small.config == SMALL
    assert num_parameters(small) < 0.7 * num_parameters(model)
    tensor = torch.randn(3, 1, 32, 96)
    expected = model(tensor)
    assert expected.std() > 0.01
    torch.testing.assert_close(small(tensor), expected, atol=1e-5, rtol=1e-5)


def test_a_channel_that_never_changes_goes_however_loud_it_is(trained) -> None:
    model = idle(trained, dataclasses.replace(LARGE, channels=(5, 8, 8, 12, 8, 10, 12)))
    norm = model.backbone[1]
    (off,) = (norm.weight == 0).nonzero()[0].tolist()
    with torch.no_grad():
        norm.bias[off] = 50
    small = prune(model, dataclasses.replace(LARGE, channels=(5, *LARGE.channels[1:])))
    kept = torch.tensor([k for k in range(6) if k != off])
    torch.testing.assert_close(small.backbone[0].weight, model.backbone[0].weight[kept])


def test_the_same_shape_is_the_same_function(trained) -> None:
    tensor = torch.randn(3, 1, 32, 96)
    same = prune(trained, LARGE)
    assert same.training
    torch.testing.assert_close(same.eval()(tensor), trained(tensor), atol=0, rtol=0)


def test_branches_are_merged_and_may_be_put_on_again(trained) -> None:
    branched = with_reparam(trained)
    for module in branched.modules():
        if hasattr(module, "point_norm"):
            torch.nn.init.constant_(module.point_norm.weight, 0.3)
    tensor = torch.randn(3, 1, 32, 96)
    expected = branched.eval()(tensor)
    again = prune(branched, dataclasses.replace(LARGE, reparam=True))
    assert again.config.reparam
    torch.testing.assert_close(again.eval()(tensor), expected, atol=1e-4, rtol=1e-4)


def test_branches_that_add_nothing_do_not_change_which_units_are_kept(trained) -> None:
    alone, branched = (fused(prune(model, SMALL)) for model in (trained, with_reparam(trained)))
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(branched.state_dict()[name], value, atol=1e-5, rtol=1e-4)


def test_a_channel_whose_input_never_changes_goes_however_large_its_gain(trained) -> None:
    model = CRNN(LARGE)
    model.load_state_dict(trained.state_dict())
    conv, norm = model.backbone[0], model.backbone[1]
    with torch.no_grad():
        conv.weight[2], norm.running_mean[2], norm.running_var[2], norm.weight[2] = 0, 0, 0, 1.5
    small = prune(model.eval(), dataclasses.replace(LARGE, channels=(5, *LARGE.channels[1:])))
    kept = torch.tensor([0, 1, 3, 4, 5])
    torch.testing.assert_close(small.backbone[0].weight, conv.weight[kept])


@pytest.mark.parametrize("block", range(7))
def test_a_channel_that_the_next_layer_hardly_takes_goes_however_loud_it_is(trained, block) -> None:
    model = copied(trained)
    convs = [m for m in model.backbone if isinstance(m, torch.nn.Conv2d)]
    norms = [m for m in model.backbone if isinstance(m, torch.nn.BatchNorm2d)]
    off = 3
    with torch.no_grad():
        norms[block].weight[off] = 9
        if block < 6:
            convs[block + 1].weight[:, off] *= 1e-3
        else:
            for end in ("l0", "l0_reverse"):
                getattr(model.lstms[0], f"weight_ih_{end}")[:, off] *= 1e-3
    fewer = [count - (k == block) for k, count in enumerate(LARGE.channels)]
    small = prune(model, dataclasses.replace(LARGE, channels=tuple(fewer)))
    found = [m for m in small.backbone if isinstance(m, torch.nn.Conv2d)][block].weight
    kept = [k for k in range(LARGE.channels[block]) if k != off]
    torch.testing.assert_close(found, convs[block].weight[kept])


def test_an_output_that_the_next_bilstm_hardly_takes_goes_however_loud_it_is(trained) -> None:
    model, off = copied(trained), 5
    with torch.no_grad():
        model.linears[0].weight[off] *= 9
        for end in ("l0", "l0_reverse"):
            getattr(model.lstms[1], f"weight_ih_{end}")[:, off] *= 1e-3
    small = prune(model, dataclasses.replace(LARGE, lstm_hidden=7))
    kept = [k for k in range(8) if k != off]
    torch.testing.assert_close(small.linears[0].bias, model.linears[0].bias[kept])


@pytest.mark.parametrize(
    "other",
    [
        {"lstm_hidden": 9},
        {"channels": (4, 9, 6, 8, 5, 8, 8)},
        {"lstm_layers": 1},
        {"final_kernel": (2, 2)},
        {"num_classes": 9},
    ],
)
def test_nothing_shrinks_into_something_else(trained, other) -> None:
    with pytest.raises(CrnnError, match="large cannot be pruned to small"):
        prune(trained, dataclasses.replace(SMALL, **other))


def test_only_a_chain_of_seven_shrinks(trained) -> None:
    with pytest.raises(CrnnError, match="cannot be pruned"):
        prune(trained, dataclasses.replace(SMALL, channels=(4, 8, 6)))


def test_two_starts_are_refused(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--grow", "a", "--prune", "b"])
    assert "give only one of" in capsys.readouterr().err
