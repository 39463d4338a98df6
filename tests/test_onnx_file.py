"""`.onnx` files of strangers: what is refused before an engine gets the file."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from crnn_edge import onnx_file
from crnn_edge.backends import onnx as backend
from crnn_edge.backends import open_backend
from crnn_edge.errors import ModelFileError
from crnn_edge.manifest import KEY
from quantize.formats.onnx import FORMAT, write
from tests.tiny import tiny_manifest

BUNDLED = sorted((Path(onnx_file.__file__).parent / "models").glob("*.onnx"))


@pytest.fixture
def file(model: Path) -> Path:
    """A file as exporters write it, with a checksum."""
    write(onnx.load(model), tiny_manifest(), model)
    return model


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that must not be reached."""

    def reached(*_: object, **__: object) -> None:
        pytest.fail("the engine got the file")

    monkeypatch.setattr(backend, "_session", reached)


def edited(path: Path, edit) -> Path:
    model = onnx.load(path)
    edit(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_bundled_files_are_permitted(path: Path) -> None:
    parts = onnx_file.parse(path.read_bytes())
    assert parts.manifest == {p.key: p.value for p in onnx.load(path).metadata_props}[KEY]


def test_a_written_file_has_the_checksum_that_the_backend_computes(file: Path) -> None:
    parts = onnx_file.parse(file.read_bytes())
    assert parts.stored_checksum() == parts.checksum() == open_backend(file).manifest.checksum


def test_a_new_manifest_brings_a_new_checksum(file: Path) -> None:
    before = open_backend(file).manifest
    FORMAT.replace_manifest(file, before.replace(version="7"))
    after = open_backend(file).manifest
    assert after.version == "7"
    assert after.checksum != before.checksum


def test_a_file_without_a_checksum_is_read(model: Path) -> None:
    assert open_backend(model).manifest.checksum is None


def test_no_changed_bit_is_read(file: Path, no_engine: None) -> None:
    whole = file.read_bytes()
    rng = random.Random(0)
    for _ in range(500):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        file.write_bytes(data)
        with pytest.raises(ModelFileError, match=file.name):
            open_backend(file)


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "/etc/passwd", "*/x"])
@pytest.mark.parametrize("where", ["initializer", "attribute"])
def test_external_data_is_refused(model: Path, no_engine: None, location: str, where: str) -> None:
    def move_out(proto: onnx.ModelProto) -> None:
        tensor = proto.graph.initializer[0]
        if where == "attribute":
            tensor = TensorProto(name="x", data_type=TensorProto.FLOAT, dims=[1])
            node = helper.make_node("Constant", [], ["x"], value=tensor)
            proto.graph.node.insert(0, node)
            tensor = proto.graph.node[0].attribute[0].t
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    with pytest.raises(ModelFileError, match="external data"):
        open_backend(edited(model, move_out))


def subgraph(proto: onnx.ModelProto) -> None:
    body = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "body", [], [])
    proto.graph.node.append(helper.make_node("Relu", ["x"], ["y"], body=body))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: m.graph.node.append(helper.make_node("Loop", ["n"], ["x"])), "'Loop'"),
        (lambda m: m.graph.node.append(helper.make_node("RandomNormal", [], ["x"])), "'RandomN"),
        (
            lambda m: m.graph.node.append(helper.make_node("Relu", [], ["x"], domain="mine")),
            "'mine.Relu'",
        ),
        (subgraph, "attribute has field 6"),
        (lambda m: m.functions.add(name="f", domain="mine"), "the model has field 25"),
        (lambda m: m.graph.sparse_initializer.add(), "graph has field 15"),
        (lambda m: m.metadata_props.add(key=KEY, value="{}"), "2 manifests"),
    ],
)
def test_what_exporters_do_not_write_is_refused(
    model: Path, no_engine: None, edit, message: str
) -> None:
    with pytest.raises(ModelFileError, match=message):
        open_backend(edited(model, edit))


def test_the_last_of_two_operators_counts_and_so_do_all(model: Path, no_engine: None) -> None:
    node = helper.make_node("Loop", [], ["x"]).SerializeToString() + b"\x22\x04Relu"  # op_type
    graph = b"\x0a" + bytes([len(node)]) + node
    model.write_bytes(b"\x3a" + bytes([len(graph)]) + graph)
    with pytest.raises(ModelFileError, match="'Loop'"):
        open_backend(model)


def test_an_exporter_refuses_to_write_what_runtimes_refuse(model: Path) -> None:
    proto = onnx.load(model)
    proto.graph.node.append(helper.make_node("Loop", ["n"], ["x"]))
    with pytest.raises(ModelFileError, match="runtimes refuse such files: operator 'Loop'"):
        write(proto, tiny_manifest(), model)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",  # field 0
        b"\x0b",  # a group
        b"\xff" * 11,  # a number that does not end
        b"\x3a\x05ab",  # larger than the file
        b"\x08\x01" * 300_000,  # too many fields
        b"",
        b"\x3a\x00\x3a\x00",  # two graphs
    ],
)
def test_damaged_messages_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"field|number|graphs"):
        onnx_file.parse(data)


def test_random_bytes_end_in_an_error_of_ours(file: Path) -> None:
    rng = np.random.default_rng(0)
    whole = file.read_bytes()
    for _ in range(300):
        at = int(rng.integers(len(whole)))
        data = whole[:at] + rng.bytes(int(rng.integers(1, 99))) + whole[at:]
        try:
            parts = onnx_file.parse(data)
        except ValueError:
            continue
        assert parts.checksum() != parts.stored_checksum()
