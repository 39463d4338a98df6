"""Settings of quantization and export: values that go to JSON and back, and their functions."""

from __future__ import annotations

from pathlib import Path

import pytest

from crnn_edge.backends import open_backend
from crnn_edge.errors import CrnnError
from export.config import ExportConfig
from export.pipeline import export
from quantize.config import ConfigError, QuantizationConfig
from quantize.pipeline import quantize_file
from tests.test_export import furnish


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return furnish(tmp_path_factory.mktemp("config"))


@pytest.mark.parametrize(
    "config",
    [
        QuantizationConfig(),
        QuantizationConfig(Path("a"), Path("b"), 2.5, True, ("conv2", "lstm1"), "int8", 96),
        ExportConfig(),
        ExportConfig(int8=True, out=Path("x.onnx"), exclude_layers=("conv2",)),
    ],
)
def test_settings_survive_json(config: QuantizationConfig) -> None:
    again = type(config).from_json(config.to_json())
    assert again == config
    assert hash(again) == hash(config)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_drop": -1}, "invalid max_drop -1: expected 0 to 100 points"),
        ({"max_drop": float("nan")}, "invalid max_drop nan"),
        ({"io": "float16"}, "invalid io 'float16'"),
        ({"width_px": 64}, "--width applies to full-integer files only: add --io int8"),
        ({"io": "int8"}, "--io int8 applies to INT8 files only: add --int8"),
        ({"mixed_precision": True}, "--mixed-precision applies to INT8 files only: add --int8"),
        ({"exclude_layers": ["conv2"]}, "--exclude-layers applies to INT8 files only"),
    ],
)
def test_impossible_settings_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ExportConfig(**fields)


@pytest.mark.parametrize("text", ["", "[]", "7", '{"margin": 1}', '{"max_drop": "much"}'])
def test_json_that_is_not_settings_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="ExportConfig"):
        ExportConfig.from_json(text)


def test_export_is_a_function(home: Path, tmp_path: Path) -> None:
    config = ExportConfig(
        home / "crops", int8=True, out=tmp_path / "x.npz", max_drop=100, exclude_layers=("conv3",)
    )
    result = export(home / "tiny.safetensors", "numpy", config)
    assert result.path == tmp_path / "x.npz"
    assert [c.candidate.precision for c in result.comparisons] == ["fp32", "int8"]
    int8_layers = open_backend(result.path).manifest.quantization["int8_layers"]
    assert "conv3" not in int8_layers
    assert "conv4" in int8_layers


def test_quantize_file_is_a_function(home: Path, tmp_path: Path) -> None:
    export(home / "tiny.safetensors", "numpy", ExportConfig(home / "crops", out=tmp_path / "x.npz"))
    config = QuantizationConfig(home / "crops", max_drop=100)
    result = quantize_file(tmp_path / "x.npz", config)
    assert result.path == tmp_path / "x-int8.npz"
    assert result.comparison.candidate.bytes == result.path.stat().st_size
    with pytest.raises(CrnnError, match="is the FP32 model itself"):
        quantize_file(tmp_path / "x.npz", config, out=tmp_path / "x.npz")
