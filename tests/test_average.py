from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from crnn_edge.charset import Charset
from crnn_edge.errors import ModelFileError
from crnn_edge.manifest import Manifest
from crnn_edge.preprocess import Preprocess
from model.average import main
from model.network.checkpoint import difference, load_checkpoint, save_checkpoint
from model.network.config import NetworkConfig
from model.network.crnn import CRNN
from model.network.safetensors_file import write_safetensors

SHAPE = NetworkConfig("tiny", (4, 4, 8, 8, 8, 8, 8), lstm_hidden=8, lstm_layers=1, num_classes=4)
MANIFEST = Manifest(name="tiny", charset=Charset(tuple("abc")))


def save(
    path: Path, seed: int, config: NetworkConfig = SHAPE, manifest: Manifest = MANIFEST
) -> CRNN:
    torch.manual_seed(seed)
    model = CRNN(config)
    save_checkpoint(path, model, manifest, half=False)
    return model


def save_state(path: Path, model: CRNN, metadata: dict[str, str]) -> None:
    """What counts of a run's state for an average."""
    state = {f"ema/{k}": v for k, v in model.state_dict().items()}
    state |= {f"model/{k}": torch.zeros_like(v) for k, v in model.state_dict().items()}
    write_safetensors(path, state, metadata)


def test_the_average_lies_in_the_middle_of_checkpoints_and_states(tmp_path) -> None:
    a, b = (save(tmp_path / f"{seed}.safetensors", seed) for seed in (1, 2))
    c = CRNN(SHAPE)
    save_state(tmp_path / "last.safetensors", c, {"manifest": MANIFEST.to_json()})
    files = [str(tmp_path / f"{name}.safetensors") for name in ("1", "2", "last")]
    assert main([*files, "--out", str(tmp_path / "mean.safetensors")]) == 0
    mean = load_checkpoint(tmp_path / "mean.safetensors")
    assert mean.manifest.provenance["averaged_with"] == 2
    for name, value in mean.model.state_dict().items():
        if value.is_floating_point():
            parts = [model.state_dict()[name] for model in (a, b, c)]
            torch.testing.assert_close(value, sum(parts) / 3, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("damage", ["shape", "missing"])
def test_what_does_not_fit_is_refused_and_nothing_written(damage, tmp_path, capsys) -> None:
    save(tmp_path / "a.safetensors", 1)
    if damage == "shape":
        save(tmp_path / "b.safetensors", 2, dataclasses.replace(SHAPE, lstm_hidden=4))
    out = tmp_path / "mean.safetensors"
    arguments = [str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")]
    assert main([*arguments, "--out", str(out)]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert not out.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"charset": Charset(tuple("xyz"))},
        {"preprocess": Preprocess(min_width=32)},
        {"stride": 8},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("kind", ["checkpoint", "state"])
def test_networks_that_do_not_see_or_say_the_same_are_refused(
    kind, change, tmp_path, capsys
) -> None:
    save(tmp_path / "a.safetensors", 1)
    (name,), other = change, MANIFEST.replace(**change)
    if kind == "checkpoint":
        save(tmp_path / "b.safetensors", 2, manifest=other)
    else:
        save_state(tmp_path / "b.safetensors", CRNN(SHAPE), {"manifest": other.to_json()})
    out = tmp_path / "mean.safetensors"
    arguments = [str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")]
    assert main([*arguments, "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert f"its {name} is" in said
    if name == "charset":
        assert "of 3 tokens, not the other's 3: it has ['x', 'y', 'z'] and lacks ['a', 'b'" in said
    assert not out.exists()


@pytest.mark.parametrize(
    ("tokens", "separator", "told"),
    [
        ("cba", "", "the same tokens with another order"),
        ("abc", " ", "the same tokens with another separator"),
    ],
)
def test_charsets_of_the_same_tokens_are_told_apart(tokens, separator, told) -> None:
    other = MANIFEST.replace(charset=Charset(tuple(tokens), separator))
    assert difference(other, MANIFEST).endswith(told)


def test_an_average_is_written_as_what_it_is(tmp_path, capsys) -> None:
    save(tmp_path / "a.safetensors", 1)
    with pytest.raises(SystemExit):
        main([str(tmp_path / "a.safetensors")] * 2 + ["--out", str(tmp_path / "mean.onnx")])
    assert "must end in .safetensors" in capsys.readouterr().err


def test_an_average_may_advise_second_looks(tmp_path, capsys) -> None:
    files = [str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")]
    for seed, path in enumerate(files):
        save(Path(path), seed)
    for more, advised in (([], 0.0), (["--tta-threshold", "0.7"], 0.7)):
        assert main([*files, *more, "--out", str(tmp_path / "mean.safetensors")]) == 0
        assert load_checkpoint(tmp_path / "mean.safetensors").manifest.tta.threshold == advised
    with pytest.raises(SystemExit):
        main([*files, "--tta-threshold", "2", "--out", str(tmp_path / "mean.safetensors")])
    assert "--tta-threshold must be a probability from 0 to 1, got 2" in capsys.readouterr().err


def test_a_run_s_state_is_no_checkpoint_but_named_as_what_it_is(tmp_path) -> None:
    save_state(tmp_path / "last.safetensors", CRNN(SHAPE), {"settings": "{}", "manifest": "{}"})
    with pytest.raises(ModelFileError, match=r"is a training state.*best\.safetensors"):
        load_checkpoint(tmp_path / "last.safetensors")


def test_a_state_of_before_states_had_manifests_counts_with_a_remark(tmp_path, capsys) -> None:
    save(tmp_path / "a.safetensors", 1)
    save_state(tmp_path / "last.safetensors", CRNN(SHAPE), {})
    files = [str(tmp_path / f"{name}.safetensors") for name in ("a", "last")]
    assert main([*files, "--out", str(tmp_path / "mean.safetensors")]) == 0
    assert "last.safetensors has no manifest" in capsys.readouterr().err
