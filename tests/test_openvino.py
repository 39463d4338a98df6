"""The OpenVINO column: two files that belong together, what INT8 touches, what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from crnn_edge.backends import open_backend
from crnn_edge.backends import openvino as engine
from crnn_edge.backends.openvino import checksum_line, read_manifest, read_model
from crnn_edge.charset import Charset
from crnn_edge.errors import CrnnError, EngineError, ModelFileError
from crnn_edge.files import model_files, model_size
from crnn_edge.manifest import KEY
from export.openvino import convert
from quantize.calibration import LabelledCrops
from quantize.compare import ModelUnderTest
from quantize.formats.openvino import load_openvino, replace_manifest, write
from quantize.openvino import _insert_fake_quantize, _ranges, quantize
from quantize.pipeline import move_into_place
from tests.test_export import furnish, tiny_checkpoint


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = furnish(tmp_path_factory.mktemp("openvino"))
    convert(tiny_checkpoint(folder / "tiny.safetensors"), folder / "tiny.xml")
    quantize(folder / "tiny.xml", folder / "int8.xml", LabelledCrops.load(folder / "crops"))
    return folder


@pytest.fixture
def file(home: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    for part in model_files(home / "tiny.xml"):
        (tmp_path / part.name).write_bytes(part.read_bytes())
    return tmp_path / "tiny.xml"


def with_checksum(path: Path, xml: bytes, weights: bytes | None = None) -> None:
    """Write an `.xml` that claims to be as exported."""
    if weights is not None:
        path.with_suffix(".bin").write_bytes(weights)
    path.write_bytes(xml + checksum_line(xml, path.with_suffix(".bin").read_bytes()))


def body(path: Path) -> bytes:
    return path.read_bytes()[: path.read_bytes().index(b"<!-- crnn_checksum")]


def test_ranges_are_those_of_all_crops(home: Path) -> None:
    class Pictures:
        def __init__(self, *scales: float) -> None:
            self.scales = scales

        def tensors(self, _preprocess: object) -> Iterator[np.ndarray]:
            noise = np.random.default_rng(1).normal(size=(1, 1, 32, 64)).astype(np.float32)
            return (noise * np.float32(scale) for scale in self.scales)

    model = read_model(home / "tiny.xml")
    manifest = read_manifest(model, home / "tiny.xml")
    relus = [n.output(0) for n in model.get_ordered_ops() if n.get_type_name() == "Relu"]

    def ranges(*scales: float) -> list[tuple[float, float]]:
        return _ranges(load_openvino(), model, relus, Pictures(*scales), manifest.preprocess)

    each = [ranges(scale) for scale in (1.0, 3.0, 0.2)]
    expected = [(min(r[0] for r in of), max(r[1] for r in of)) for of in zip(*each, strict=True)]
    assert ranges(1.0, 3.0, 0.2) == expected
    assert expected != each[2]


def test_batch_and_width_are_free(home: Path) -> None:
    for name in ("tiny.xml", "int8.xml"):
        shape = read_model(home / name).inputs[0].get_partial_shape()
        assert str(shape) == "[?,1,32,?]"


def test_int8_keeps_weights_in_one_byte_and_lstms_in_float(home: Path) -> None:
    model = read_model(home / "int8.xml")
    nodes = model.get_ordered_ops()
    limits = [node for node in nodes if node.get_type_name() == "FakeQuantize"]
    assert len(limits) == 6  # what six of seven convolutions give to the next
    lows = [node.input(1).get_source_output().get_node().get_data().item() for node in limits]
    assert lows == [0] * 6  # behind ReLUs
    every = []
    for node in nodes:
        if node.get_type_name() == "Convolution":
            floats = node.input(1).get_source_output().get_node()
            values = floats.input(0).get_source_output().get_node()
            levels = values.input(0).get_source_output().get_node().get_data()
            assert levels.dtype == np.int8
            every.append(levels.ravel().astype(int))
    # Seven bits: processors without VNNI add two products, with 255 at most, in 16 bits.
    largest = [2 * 255 * np.abs(levels).max() for levels in every]
    assert all(2**15 * 0.97 < sum_of_two < 2**15 for sum_of_two in largest)
    assert 100 < len(np.unique(np.concatenate(every))) < 128
    before = [
        node.input(0).get_source_output().get_node().get_type_name()
        for node in nodes
        if node.get_type_name() == "MaxPool"
    ]
    assert before[1:] == ["FakeQuantize"] * 3  # so these poolings work on int8, too
    sizes = [(home / name).with_suffix(".bin").stat().st_size for name in ("tiny.xml", "int8.xml")]
    assert sizes[1] < 0.5 * sizes[0]  # so small a network has more scales than weights


@pytest.mark.parametrize(
    ("over", "bounds"),
    [
        ((0.0, 6.0), (0.0, 6.0)),
        ((-2.0, 6.0), (-6 * 128 / 127, 6)),
        ((-6.0, 2.0), (-6 * 128 / 127, 6)),
    ],
)
def test_what_is_never_negative_has_all_levels_above_0(over, bounds) -> None:
    opset = load_openvino().opset13
    output = opset.parameter([3], np.float32).output(0)
    reader = opset.relu(output)
    _insert_fake_quantize(load_openvino(), output, *over)
    limit = reader.input(0).get_source_output().get_node()
    found = [limit.input(k).get_source_output().get_node().get_data().item() for k in range(1, 5)]
    assert found == pytest.approx([*bounds] * 2)
    assert limit.get_attributes()["levels"] == 256
    levels = np.linspace(*bounds, 256)
    assert np.abs(levels).min() < 1e-6  # 0 is one of them, as padding needs it


def test_a_manifest_survives_with_all_its_characters(file: Path) -> None:
    manifest = open_backend(file).manifest
    tokens = (*"<>&\"'\\é", "Ω🎵", "]]>", "a  b")
    strange = manifest.replace(charset=Charset(tokens, ";"), provenance={"note": "line\ntab\t -->"})
    replace_manifest(file, strange)
    assert open_backend(file).manifest == strange


def test_weights_of_another_model_are_refused(home: Path, file: Path) -> None:
    file.with_suffix(".bin").write_bytes((home / "int8.bin").read_bytes())
    with pytest.raises(ModelFileError, match=r"tiny\.xml and tiny\.bin are not what was exported"):
        open_backend(file)


def test_an_interrupted_delivery_is_never_taken_for_a_model(
    home: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = file.with_name("int8.xml")
    for part in model_files(home / new.name):
        (file.parent / part.name).write_bytes(part.read_bytes())
    replace = Path.replace

    def once(self: Path, target: Path) -> Path:
        if self.suffix == ".xml":
            raise OSError("no power")
        return replace(self, target)

    with monkeypatch.context() as context:
        context.setattr(Path, "replace", once)
        with pytest.raises(OSError, match="no power"):
            move_into_place(new, file)
    with pytest.raises(ModelFileError, match="not what was exported together"):
        open_backend(file)
    replace(new, file)
    assert open_backend(file).manifest.precision == "int8"


def test_a_model_file_never_lies_there_before_its_weights(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, replace, done = file.with_name("new.xml"), Path.replace, []

    def once(self: Path, target: Path) -> Path:
        if done:
            raise OSError("no power")
        done.append(target)
        return replace(self, target)

    backend = open_backend(file)
    with monkeypatch.context() as context:
        context.setattr(Path, "replace", once)
        with pytest.raises(CrnnError, match="no power"):
            write(read_model(file).clone(), backend.manifest, new)
    assert done == [new.with_suffix(".bin")]
    assert {path.name for path in file.parent.iterdir()} == {"tiny.xml", "tiny.bin", "new.bin"}


def test_both_files_are_counted(file: Path) -> None:
    both = file.stat().st_size + file.with_suffix(".bin").stat().st_size
    assert model_size(file) == both
    assert ModelUnderTest.open(file).bytes == both


def test_missing_weights_are_missed(file: Path) -> None:
    file.with_suffix(".bin").unlink()
    with pytest.raises(ModelFileError, match=r"tiny\.bin beside it: No such file"):
        open_backend(file)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda xml: xml.replace(KEY.encode(), b"something"), "carries no manifest"),
        (lambda xml: xml.replace(b"&quot;schema&quot;: 3", b"&quot;schema&quot;: 9"), "schema 9"),
        (lambda xml: b"<net/>\n", "cannot open the model file"),
        (lambda xml: xml[: len(xml) // 2], "cannot open the model file"),
        (lambda xml: xml.replace(b"LSTMSequence", b"LSTMSequel"), "cannot open the model file"),
    ],
)
def test_a_file_with_a_right_checksum_is_still_validated(file: Path, spoil, message: str) -> None:
    with_checksum(file, spoil(body(file)))
    with pytest.raises(ModelFileError, match=message):
        open_backend(file)


def test_another_charset_is_refused_with_both_values(file: Path) -> None:
    replace_manifest(file, open_backend(file).manifest.replace(charset=Charset(tuple("abc"))))
    with pytest.raises(ModelFileError, match=r"gives logits.* 11\).* 4 classes: 3 tokens"):
        open_backend(file)


def test_the_checksum_of_files_with_a_schema_2_manifest_is_read(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"<!-- crnn_checksum", b"<!-- crnn_seal"))
    assert open_backend(file).manifest.name == "tiny"


def test_an_ir_from_elsewhere_is_refused(file: Path) -> None:
    file.write_bytes(body(file))
    with pytest.raises(ModelFileError, match="does not end in a checksum"):
        open_backend(file)


@pytest.mark.parametrize(
    "tensor",
    [np.zeros((1, 1, 32, 64)), np.zeros((1, 32, 64), np.float32), np.zeros((0, 1, 32, 64), "f4")],
)
def test_a_wrong_tensor_is_refused_in_one_line(home: Path, tensor: np.ndarray) -> None:
    with pytest.raises(EngineError, match=r"OpenVINO cannot run .* on a tensor") as caught:
        open_backend(home / "tiny.xml")(tensor)
    assert "\n" not in str(caught.value)


def test_a_missing_engine_names_what_to_install(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(engine, "shared_core", engine.shared_core.__wrapped__)  # as if never called
    with pytest.raises(EngineError, match=r"pip install '\.\[openvino\]'"):
        open_backend(home / "tiny.xml")
    with pytest.raises(EngineError, match=r"pip install '\.\[openvino\]'"):
        replace_manifest(home / "tiny.xml", None)


REPLACED = """
import os, signal, sys
from crnn_edge.backends import open_backend
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
backend = open_backend(sys.argv[1])
backend = open_backend(sys.argv[1])  # the new one comes before the old one goes
del backend
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_is_heard_after_a_model_was_replaced(home: Path) -> None:
    command = [sys.executable, "-c", REPLACED, str(home / "tiny.xml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr


def test_a_device_is_the_same_in_capitals(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, core = [], engine.shared_core()

    class Watched:
        def __getattr__(self, name: str) -> object:
            return getattr(core, name)

        def compile_model(self, model: object, device: str, settings: dict) -> object:
            given.append((device, settings["INFERENCE_NUM_THREADS"]))
            return core.compile_model(model, device, settings)

    monkeypatch.setattr(engine, "shared_core", Watched)
    for device in ("cpu", "CPU"):
        open_backend(file, threads=1, device=device)
    assert given == [("CPU", 1)] * 2
