from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarking import write_crops
from hypothesis import settings
from tiny import build_tiny, tiny_manifest

from crnn_edge.backends import open_backend
from crnn_edge.recognizer import Recognizer
from crnn_edge.selftest import selftest_classes, selftest_image

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
    """The same with its LSTM quantized as shipped files have it."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder = tmp_path_factory.mktemp("models")
    path = build_tiny(folder / "fp32.onnx", tiny_manifest(precision="int8"))
    quantize_dynamic(
        path, folder / "int8.onnx", op_types_to_quantize=["LSTM"], weight_type=QuantType.QUInt8
    )
    return folder / "int8.onnx"


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of nothing, with labels."""
    return write_crops(tmp_path_factory.mktemp("crops"))


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of numbers, a few steps of which are quickly trained on."""
    import cv2  # boards that are tested by these files have none

    folder = tmp_path_factory.mktemp("numbers")
    lines = []
    for number in range(12):
        text = str(number * 7919 % 1000)
        image = np.full((36, 24 + 20 * len(text)), 230, dtype=np.uint8)
        cv2.putText(image, text, (10, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 20, 2)
        cv2.imwrite(str(folder / f"{number}.png"), image)
        lines.append(f"{number}.png\t{text}\n")
    (folder / "labels.tsv").write_text("".join(lines))
    return folder


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Write a module that child processes can import; gives its name."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(name: str, text: str) -> str:
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    return write


@pytest.fixture(scope="session")
def crops_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blurred noise of several widths, labelled with what the tiny network reads in it."""
    from PIL import Image  # boards have neither this

    from quantize.calibration import MIN_CROPS  # nor this

    folder = tmp_path_factory.mktemp("crops")
    recognizer = Recognizer(open_backend(build_tiny(folder / "tiny.onnx")))
    rng = np.random.default_rng(0)
    lines = []
    for index in range(4 * MIN_CROPS):
        coarse = rng.integers(0, 256, (4, 4 + index % 7), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((coarse.shape[1] * 12, 32))
        picture.save(folder / f"{index}.png")
        lines.append(f"{index}.png\t{recognizer(np.asarray(picture)).text}\n")
    (folder / "labels.tsv").write_text("".join(lines))
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An FP32 model file in the test's own folder."""
    return build_tiny(tmp_path / "tiny.onnx")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures of several widths, without labels."""
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    image = selftest_image()
    for name, width in (("a", 60), ("b", 222), ("c", 130)):
        Image.fromarray(image[:, :width]).save(folder / f"{name}.png")
    return folder
