from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from tiny import build_tiny, tiny_manifest

from runtime.backends import open_backend
from runtime.selftest import selftest_classes

# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An FP32 model file with a self-test."""
    path = build_tiny(tmp_path_factory.mktemp("models") / "tiny.onnx")
    return build_tiny(path, tiny_manifest(selftest=selftest_classes(open_backend(path))))


@pytest.fixture(scope="session")
def tiny_int8_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with its LSTM quantised as shipped files have it."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder = tmp_path_factory.mktemp("models")
    path = build_tiny(folder / "fp32.onnx", tiny_manifest(precision="int8"))
    quantize_dynamic(
        path, folder / "int8.onnx", op_types_to_quantize=["LSTM"], weight_type=QuantType.QUInt8
    )
    return folder / "int8.onnx"
