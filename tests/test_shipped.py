"""What ships belongs together: checkpoint, INT8 file, calibration crops, example pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import pytest

from crnn_edge import selftest
from crnn_edge.backends import Backend, open_backend
from crnn_edge.decoders import greedy, lm
from crnn_edge.labels import LabelledFolder
from crnn_edge.recognizer import DEFAULT_MODEL, Recognizer
from export.reference import torch_reference
from model.network.bundled import DEFAULT_CHECKPOINT, WEIGHTS
from model.network.checkpoint import Checkpoint, load_checkpoint
from model.network.fusion import num_parameters
from quantize import calibration
from quantize.calibration import LabelledCrops
from quantize.compare import ModelUnderTest, compare
from quantize.config import QuantizationConfig

EXAMPLES = Path(__file__).parents[1] / "examples" / "images"


NAMES = ("crnn-lite", "crnn-medium", "crnn")


@pytest.fixture(scope="module", params=NAMES)
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    return load_checkpoint(WEIGHTS / f"{request.param}.safetensors")


@pytest.fixture(scope="module")
def model_file(checkpoint: Checkpoint) -> Path:
    return DEFAULT_MODEL.with_name(f"{checkpoint.config.name}.onnx")


@pytest.fixture(scope="module")
def backend(model_file: Path) -> Backend:
    return open_backend(model_file, threads=1)


def test_the_default_model_is_the_light_one() -> None:
    assert (DEFAULT_CHECKPOINT.stem, DEFAULT_MODEL.stem) == ("crnn-lite", "crnn-lite")


def test_the_default_model_reads_the_examples() -> None:
    folder = LabelledFolder(EXAMPLES)
    assert len(folder) >= 6
    readings = Recognizer.load(threads=1).batch([image for image, _ in folder])
    assert [reading.text for reading in readings] == list(folder.texts)


def test_a_shipped_model_reads_most_examples(backend: Backend) -> None:
    folder = LabelledFolder(EXAMPLES)
    readings = Recognizer(backend).batch([image for image, _ in folder])
    right = sum(r.text == text for r, text in zip(readings, folder.texts, strict=True))
    assert right >= 0.75 * len(folder)


def test_a_shipped_model_passes_its_self_test_here(backend: Backend) -> None:
    assert selftest.run_selftest(backend).ok


def test_a_shipped_model_reads_what_the_self_test_says(backend: Backend) -> None:
    assert Recognizer(backend)(selftest.selftest_image()).text == selftest.TEXT


def test_a_shipped_model_is_the_int8_of_its_checkpoint(
    backend: Backend, checkpoint: Checkpoint
) -> None:
    manifest = backend.manifest
    assert manifest.precision == "int8"
    digest = hashlib.sha256(checkpoint.path.read_bytes()).hexdigest()
    assert manifest.provenance["checkpoint_sha256"] == digest


def test_a_shipped_model_was_calibrated_with_the_shipped_crops(backend: Backend) -> None:
    calibrating, _ = LabelledCrops.load(calibration.DEFAULT_CALIBRATION_SET).split()
    assert backend.manifest.quantization["calibration"] == calibrating.provenance()


def test_a_shipped_models_first_stage_is_float_and_the_others_are_not(model_file: Path) -> None:
    graph = onnx.load(model_file).graph
    made_by = {name: node for node in graph.node for name in node.output}
    first, *others = [node for node in graph.node if node.op_type == "Conv"]
    assert first.input[0] == graph.input[0].name
    assert len(others) == 6
    assert all(made_by[node.input[0]].op_type == "DequantizeLinear" for node in others)


def test_accurate_models_advise_second_looks_and_the_fast_one_does_not(
    backend: Backend,
) -> None:
    advised = {"crnn": 0.7, "crnn-medium": 0.7, "crnn-lite": 0}
    assert Recognizer(backend).tta_threshold == advised[backend.manifest.name]


def test_a_shipped_model_advises_the_language_model(backend: Backend) -> None:
    assert isinstance(Recognizer(backend).decoder, lm.Decoder)
    assert isinstance(Recognizer(backend, "greedy").decoder, greedy.Decoder)


def test_a_shipped_model_is_no_larger_than_its_weights(
    model_file: Path, checkpoint: Checkpoint
) -> None:
    assert model_file.stat().st_size <= 1.02 * num_parameters(checkpoint.model) + 60_000


def test_a_shipped_model_is_as_good_as_its_checkpoint(
    model_file: Path, checkpoint: Checkpoint
) -> None:
    # Those that it was calibrated with, too: with VNNI and without it INT8 is not rounded
    # alike, and of 250 three readings would decide.
    crops = LabelledCrops.load(calibration.DEFAULT_CALIBRATION_SET)
    comparison = compare(torch_reference(checkpoint), ModelUnderTest.open(model_file), crops)
    assert comparison.reference.score.accuracy > 0.5  # else both could be equally bad
    comparison.check_drop(QuantizationConfig.max_drop, tolerance=None)
