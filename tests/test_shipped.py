"""What ships belongs together: checkpoint, INT8 file, calibration crops, example pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import pytest

from export.verify import torch_contender
from model.checkpoint import DEFAULT, Checkpoint, load_checkpoint
from quantize import calibration
from quantize.calibration import Crops
from quantize.verify import MARGIN_POINTS, Contender, compare
from runtime import selftest
from runtime.backends import Backend, open_backend
from runtime.images import LabelledFolder
from runtime.recognizer import DEFAULT_MODEL, Recognizer

EXAMPLES = Path(__file__).parents[1] / "examples" / "images"


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(DEFAULT)


@pytest.fixture(scope="module")
def backend() -> Backend:
    return open_backend(DEFAULT_MODEL, threads=1)


def test_the_default_model_reads_every_example(backend: Backend) -> None:
    folder = LabelledFolder(EXAMPLES)
    assert len(folder) >= 6
    readings = Recognizer(backend).batch([image for image, _ in folder])
    assert [reading.text for reading in readings] == folder.texts


def test_the_default_model_passes_its_self_test_here(backend: Backend) -> None:
    assert selftest.check(backend).ok


def test_the_default_model_reads_what_the_self_test_says(backend: Backend) -> None:
    assert Recognizer(backend)(selftest.selftest_image()).text == selftest.TEXT


def test_the_default_model_is_the_int8_of_the_shipped_checkpoint(backend: Backend) -> None:
    manifest = backend.manifest
    assert manifest.precision == "int8"
    digest = hashlib.sha256(DEFAULT.read_bytes()).hexdigest()
    assert manifest.provenance["checkpoint_sha256"] == digest


def test_the_default_model_was_calibrated_with_the_shipped_crops(backend: Backend) -> None:
    calibrating, _ = Crops.load(calibration.DEFAULT).halves()
    assert backend.manifest.provenance["calibration"] == calibrating.provenance()


def test_the_default_models_first_stage_is_float_and_the_others_are_not() -> None:
    graph = onnx.load(DEFAULT_MODEL).graph
    made_by = {name: node for node in graph.node for name in node.output}
    first, *others = [node for node in graph.node if node.op_type == "Conv"]
    assert first.input[0] == graph.input[0].name
    assert len(others) == 6
    assert all(made_by[node.input[0]].op_type == "DequantizeLinear" for node in others)


def test_the_default_model_is_no_larger_than_its_weights(checkpoint: Checkpoint) -> None:
    assert DEFAULT_MODEL.stat().st_size <= 1.02 * checkpoint.model.num_weights() + 60_000


def test_the_default_model_is_as_good_as_its_checkpoint(checkpoint: Checkpoint) -> None:
    _, judging = Crops.load(calibration.DEFAULT).halves()
    comparison = compare(torch_contender(checkpoint), Contender.open(DEFAULT_MODEL), judging)
    assert comparison.reference.score.accuracy > 0.5  # else both could be equally bad
    comparison.demand(MARGIN_POINTS, tolerance=None)
