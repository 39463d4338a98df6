from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from crnn_edge.charset import Charset
from crnn_edge.errors import EngineError, ModelFileError, UnknownNameError
from crnn_edge.manifest import Manifest
from crnn_edge.preprocess import Preprocess
from model.json_config import ConfigError
from model.network.backend import TorchBackend, load, pick_device
from model.network.bundled import WEIGHTS, find_checkpoint
from model.network.checkpoint import load_checkpoint, save_checkpoint
from model.network.config import CONFIGS, NetworkConfig
from model.network.crnn import CRNN
from model.network.fusion import fused, num_parameters
from model.network.safetensors_file import write_safetensors

TINY = NetworkConfig(name="tiny", channels=(4, 4, 8, 8, 8, 8, 8), lstm_hidden=8, lstm_layers=1)


def trained_looking(config: NetworkConfig) -> CRNN:
    """A network whose batch-norms have seen data, so that folding them has something to do."""
    torch.manual_seed(0)
    model = CRNN(config).train()
    for _ in range(3):
        model(torch.randn(4, 1, 32, 64) * 2 + 1)
    return model


def test_paper_network_has_the_papers_weights() -> None:
    model = CRNN(dataclasses.replace(CONFIGS["crnn"], num_classes=37))
    assert round(num_parameters(model) / 1e6, 1) == 8.3  # section 3.2 of the paper


@pytest.mark.parametrize(("name", "most"), [("crnn-lite", 600_000), ("crnn-medium", 1_100_000)])
def test_light_networks_are_light(name: str, most: int) -> None:
    assert num_parameters(CRNN(CONFIGS[name])) <= most


@pytest.mark.parametrize("name", sorted(CONFIGS))
@pytest.mark.parametrize("width", [32, 96, 352])
def test_any_width_gives_a_step_every_stride(name: str, width: int) -> None:
    config = CONFIGS[name]
    logits = CRNN(config).eval()(torch.zeros(2, 1, config.height, width))
    lost = config.final_kernel[1] - 1
    assert logits.shape == (2, width // config.stride - lost, config.num_classes)


@pytest.mark.parametrize("layers", [1, 2])
def test_folding_keeps_the_function_and_leaves_no_batch_norm(layers: int) -> None:
    model = trained_looking(dataclasses.replace(TINY, lstm_layers=layers)).eval()
    folded = fused(model)
    tensor = torch.randn(2, 1, 32, 96)
    assert not [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    torch.testing.assert_close(folded(tensor), model(tensor), atol=1e-5, rtol=1e-4)


def test_checkpoint_survives_the_round_trip(tmp_path) -> None:
    model = trained_looking(TINY)
    manifest = Manifest(name="tiny", charset=Charset.ascii(), metrics={"n": 3})
    save_checkpoint(tmp_path / "a.safetensors", model, manifest, half=False)
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    assert loaded.config == TINY
    assert loaded.manifest.charset == manifest.charset
    assert loaded.manifest.metrics == {"n": 3}
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.model.state_dict()[name], value, rtol=0, atol=0)


def test_half_checkpoint_is_half_the_size_and_reads_alike(tmp_path) -> None:
    model = trained_looking(TINY).eval()
    manifest = Manifest(name="tiny", charset=Charset.ascii())
    for half in (True, False):
        save_checkpoint(tmp_path / f"{half}.safetensors", model, manifest, half=half)
    tensor = np.random.default_rng(0).standard_normal((1, 1, 32, 64), dtype=np.float32)
    logits = [load(tmp_path / f"{half}.safetensors")(tensor) for half in (True, False)]
    assert np.abs(logits[0] - logits[1]).max() < 1e-2


def test_nothing_is_left_behind_by_a_write_that_fails(tmp_path) -> None:
    target = tmp_path / "a.safetensors"
    target.write_text("the old file")
    with pytest.raises(Exception, match=r".+"):
        write_safetensors(target, {"x": "no tensor"}, {})  # type: ignore[dict-item]
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]
    assert target.read_text() == "the old file"


def test_damaged_checkpoints_are_refused_in_one_line(tmp_path) -> None:
    model = CRNN(TINY)
    manifest = Manifest(name="tiny", charset=Charset.ascii())
    good = tmp_path / "good.safetensors"
    save_checkpoint(good, model, manifest)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    foreign = tmp_path / "foreign.safetensors"
    write_safetensors(foreign, {"x": torch.zeros(1)}, {})
    narrow = tmp_path / "narrow.safetensors"
    save_checkpoint(narrow, model, manifest.replace(charset=Charset(("a", "b"))))
    missing = tmp_path / "missing.safetensors"
    high, fast, odd = (tmp_path / f"{name}.safetensors" for name in ("high", "fast", "odd"))
    save_checkpoint(high, model, manifest.replace(preprocess=Preprocess(height=64)))
    save_checkpoint(fast, model, manifest.replace(stride=8))
    model.config = dataclasses.replace(TINY, lstm_hidden="8")
    save_checkpoint(odd, model, manifest)
    exported = tmp_path / "model.onnx"
    exported.write_bytes(b"a graph")
    for path, says in [
        (high, r"are \(64, 4\) in its manifest, but \(32, 4\) in its network"),
        (fast, r"are \(32, 8\) in its manifest, but \(32, 4\)"),
        (odd, "is invalid: expected int, got '8'"),
        (exported, "is an exported model file: expected the .safetensors checkpoint"),
        (cut, "is damaged or not a safetensors file"),
        (foreign, "no config"),
        (narrow, "charset"),
        (missing, "no checkpoint"),
    ]:
        with pytest.raises(ModelFileError, match=says) as caught:
            load_checkpoint(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_torch_backend_owns_its_output_and_keeps_training_mode() -> None:
    model = trained_looking(TINY)
    backend = TorchBackend(model, Manifest(name="tiny", charset=Charset.ascii()))
    one = np.ones((1, 1, 32, 64), dtype=np.float32)
    first = backend(one)
    kept = first.copy()
    backend(one * 2)
    assert model.training
    assert first.flags.owndata
    np.testing.assert_array_equal(first, kept)


def test_absent_device_is_refused() -> None:
    for device in ("xpu", "hpu", "abacus", *([] if torch.cuda.is_available() else ["cuda"])):
        with pytest.raises(EngineError, match=f"torch cannot use device '{device}'"):
            TorchBackend(CRNN(TINY), Manifest(name="t", charset=Charset.ascii()), device=device)


@pytest.mark.parametrize(("name", "auto"), [("auto", True), ("cuda", True), ("cuda:2", False)])
def test_each_process_of_a_machine_gets_a_gpu_of_its_own(
    name: str, auto: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert pick_device(name) == torch.device("cuda", 1 if auto else 2)


@pytest.mark.parametrize("name", ["resnet", "os.path", "../vgg"])
def test_an_unknown_backbone_is_refused(name: str) -> None:
    with pytest.raises(UnknownNameError, match="no backbone"):
        CRNN(dataclasses.replace(TINY, backbone=name))


def test_what_fp16_cannot_hold_is_kept_whole(tmp_path) -> None:
    model = CRNN(TINY)
    norm = next(m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d))
    norm.running_var.fill_(1e5)
    save_checkpoint(tmp_path / "x.safetensors", model, Manifest("tiny", Charset.ascii()))
    kept = load_checkpoint(tmp_path / "x.safetensors").model
    norm = next(m for m in kept.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert torch.all(norm.running_var == 1e5)


def test_a_width_is_counted_in_eights() -> None:
    config = CONFIGS["crnn-lite"]
    assert config.scaled(1) is config
    half = config.scaled(0.5)
    assert half.name == "crnn-lite-x0.5"
    assert (half.channels, half.lstm_hidden) == ((8, 24, 32, 40, 56, 72, 80), 48)
    assert config.scaled(0.05).channels == (8,) * 7
    assert num_parameters(CRNN(half)) < 0.4 * num_parameters(CRNN(config))


def test_keys_of_earlier_checkpoints_are_migrated() -> None:
    config = dataclasses.replace(TINY, final_kernel=(2, 2), reparam=True)
    fields = json.loads(config.to_json())
    for new, old in (
        ("reparam", "branches"),
        ("final_kernel", "collapse"),
        ("lstm_hidden", "hidden"),
        ("lstm_layers", "layers"),
    ):
        fields[old] = fields.pop(new)
    assert NetworkConfig.from_json(json.dumps(fields), "an old file") == config
    assert NetworkConfig.from_json(config.to_json(), "a new file") == config


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"name": "x", "wings": 2}'])
def test_an_invalid_network_config_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^a file is (not JSON|invalid): ") as caught:
        NetworkConfig.from_json(text, "a file")
    assert "\n" not in str(caught.value)


def test_equal_weights_are_equal_bytes(tmp_path) -> None:
    model, manifest = CRNN(TINY), Manifest(name="tiny", charset=Charset.ascii())
    contents = set()
    for number in range(8):
        path = tmp_path / f"{number}.safetensors"
        save_checkpoint(path, model, manifest)
        contents.add(path.read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize("name", ["crnn", "crnn-lite", "crnn-medium"])
def test_a_bundled_checkpoint_is_found_by_its_name(name: str, tmp_path, monkeypatch) -> None:
    assert load_checkpoint(name).path == WEIGHTS / f"{name}.safetensors"
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("a file of that name")
    assert find_checkpoint(name) == Path(name)
