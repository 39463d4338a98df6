from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from tiny import build_tiny, tiny_manifest

from crnn_edge.backends import open_backend, physical_cores
from crnn_edge.charset import Charset
from crnn_edge.errors import EngineError, ModelFileError, UnknownNameError
from crnn_edge.manifest import KEY
from crnn_edge.preprocess import Preprocess


def tensors(count: int, width: int = 64) -> np.ndarray:
    """Tensors of very different loudness."""
    rng = np.random.default_rng(0)
    loudness = np.linspace(0.1, 3, count)[:, None, None, None]
    return (rng.normal(size=(count, 1, 32, width)) * loudness).astype(np.float32)


@pytest.mark.parametrize("width", [32, 64, 416])
@pytest.mark.parametrize("count", [1, 3])
def test_logits_have_a_step_per_stride(tiny_model: Path, count: int, width: int) -> None:
    logits = open_backend(tiny_model)(tensors(count, width))
    assert logits.shape == (count, width // 4, 11)
    assert logits.dtype == np.float32


def test_logits_belong_to_the_caller(tiny_model: Path, tiny_int8_model: Path) -> None:
    for path in (tiny_model, tiny_int8_model):
        backend = open_backend(path)
        first = backend(tensors(1))
        kept = first.copy()
        backend(tensors(2)[1:])
        np.testing.assert_array_equal(first, kept)
        first[:] = 0  # writable


def test_an_int8_batch_equals_its_members_exactly(tiny_int8_model: Path) -> None:
    for threads in (1, 2, None):
        backend = open_backend(tiny_int8_model, threads=threads)
        batch = tensors(9)
        together = backend(batch)
        for i in range(9):
            np.testing.assert_array_equal(together[i : i + 1], backend(batch[i : i + 1]))


def test_the_engine_alone_would_mix_an_int8_batch(tiny_int8_model: Path) -> None:
    # The reason for running INT8 files one image at a time; if this fails, batches are safe.
    import onnxruntime

    session = onnxruntime.InferenceSession(tiny_int8_model)
    batch = tensors(9)
    together = session.run(None, {"image": batch})[0]
    alone = session.run(None, {"image": batch[:1]})[0]
    assert np.abs(together[:1] - alone).max() > 1e-2


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_threads_do_not_change_logits(tmp_path: Path, precision: str) -> None:
    path = build_tiny(tmp_path / "x.onnx", tiny_manifest(precision=precision))
    one, two = (open_backend(path, threads=n)(tensors(5)) for n in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-4)


def damaged(path: Path, kind: str) -> Path:
    data = build_tiny(path).read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(
            {"empty": b"", "garbage": b"\x93 not a model" * 99, "cut": data[: len(data) // 2]}[kind]
        )
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "there is no such file"),
        ("folder", "it is a folder"),
        ("empty", "it is empty"),
        ("garbage", "damaged, cut short, or not an ONNX file"),
        ("cut", "damaged, cut short, or not an ONNX file"),
    ],
)
def test_damaged_files_are_refused_in_one_line(
    tmp_path: Path, kind: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = damaged(tmp_path / f"{kind}.onnx", kind)
    with pytest.raises(ModelFileError) as caught:
        open_backend(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")  # the engine keeps quiet


@pytest.mark.parametrize("cut", range(5))
def test_a_file_cut_anywhere_is_refused(tiny_model: Path, tmp_path: Path, cut: int) -> None:
    data = tiny_model.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[: len(data) * (2 * cut + 1) // 10])
    with pytest.raises(ModelFileError, match=r"cut\.onnx"):
        open_backend(path)


def test_a_file_without_manifest_is_refused(tmp_path: Path) -> None:
    path = build_tiny(tmp_path / "foreign.onnx", None)
    with pytest.raises(ModelFileError, match=r"foreign\.onnx carries no manifest"):
        open_backend(path)


def test_a_broken_manifest_is_refused(tmp_path: Path) -> None:
    path = build_tiny(tmp_path / "x.onnx", "{}")
    with pytest.raises(ModelFileError, match="manifest schema None"):
        open_backend(path)


@pytest.mark.parametrize("static", [True, False], ids=["declared", "found by running"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_charset_of_another_length_is_refused_with_both_values(
    tmp_path: Path, static: bool, precision: str
) -> None:
    manifest = tiny_manifest(charset=Charset(tuple("abc")), precision=precision)
    path = build_tiny(tmp_path / "x.onnx", manifest, static=static)
    with pytest.raises(ModelFileError, match=r"x\.onnx gives logits.* 11\).* 4 classes: 3 tokens"):
        open_backend(path)


def test_undeclared_classes_that_agree_are_accepted(tmp_path: Path) -> None:
    path = build_tiny(tmp_path / "x.onnx", static=False)
    assert open_backend(path)(tensors(2)).shape == (2, 16, 11)


def test_another_height_is_refused_with_both_values(tmp_path: Path) -> None:
    path = build_tiny(tmp_path / "x.onnx", tiny_manifest(preprocess=Preprocess(height=48)))
    with pytest.raises(ModelFileError, match=r"takes a tensor .* 32, .*\(height 48"):
        open_backend(path)


def test_a_network_of_another_kind_is_refused(tmp_path: Path) -> None:
    helper = onnx.helper
    values = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, 224, 224])
        for name in ("x", "y")
    ]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", *[[v] for v in values])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {KEY: tiny_manifest().to_json()})
    onnx.save(model, tmp_path / "photo.onnx")
    with pytest.raises(ModelFileError, match=r"photo\.onnx takes a tensor of shape \(1, 3, 224"):
        open_backend(tmp_path / "photo.onnx")


@pytest.mark.parametrize(
    "tensor", [np.zeros((1, 1, 32, 64)), np.zeros((1, 32, 64), np.float32), tensors(1)[:, :, :9]]
)
def test_a_wrong_tensor_is_refused_in_one_line(tiny_model: Path, tensor: np.ndarray) -> None:
    with pytest.raises(EngineError, match=r"ONNX Runtime cannot run .* on a tensor") as caught:
        open_backend(tiny_model)(tensor)
    assert "\n" not in str(caught.value)


def test_unknown_backends_are_refused_with_those_that_exist(
    tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(UnknownNameError, match=r"no backend 'magic'\. There are: .*onnx"):
        open_backend(tiny_model, "magic")
    with pytest.raises(
        ModelFileError, match=r"file suffix '\.bin' .*\(known: \.onnx, .*for example onnx"
    ):
        open_backend(tmp_path / "x.bin")


def test_a_dotted_backend_is_a_module_of_the_users(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "engine.py").write_text(
        "def load(path, *, threads, device):\n    return path, threads, device\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert open_backend(tiny_model, "my.engine", threads=3, device="npu") == (tiny_model, 3, "npu")


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "tensorrt"])
def test_a_device_that_the_engine_lacks_is_an_error_not_the_processor(
    tiny_model: Path, device: str
) -> None:
    import onnxruntime

    if len(onnxruntime.get_available_providers()) > 2:
        pytest.skip("this ONNX Runtime is a GPU build")
    with pytest.raises(EngineError, match=r"no .*ExecutionProvider .*only .*onnxruntime-gpu"):
        open_backend(tiny_model, device=device)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cpu:1", ""])
def test_unknown_devices_are_refused(tiny_model: Path, device: str) -> None:
    with pytest.raises(EngineError, match=f"no device '{device}': expected cpu, cuda"):
        open_backend(tiny_model, device=device)


def test_a_missing_engine_names_what_to_install(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineError, match=r"pip install '\.\[onnx\]'"):
        open_backend(tiny_model)


@pytest.mark.parametrize("threads", [0, -1, "2", 2.5, 10**11])
def test_what_is_no_number_of_threads_is_refused(tiny_model: Path, threads: object) -> None:
    with pytest.raises(EngineError, match=f"with {threads!r} threads: expected 1 to 4096"):
        open_backend(tiny_model, threads=threads)


def test_cores_are_those_that_the_process_may_use() -> None:
    assert physical_cores() >= 1
    code = (
        "import os; os.sched_setaffinity(0, {next(iter(os.sched_getaffinity(0)))});"
        "from crnn_edge.backends import physical_cores; print(physical_cores())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    assert done.stdout == "1\n"


def test_a_file_of_half_precision_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny_model)
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    model.graph.node[-1].output[0] = "float"
    cast = onnx.helper.make_node("Cast", ["float"], ["logits"], to=onnx.TensorProto.FLOAT16)
    model.graph.node.append(cast)
    onnx.save(model, tmp_path / "half.onnx")
    with pytest.raises(ModelFileError, match=r"tensor\(float16\).*expected one float tensor in"):
        open_backend(tmp_path / "half.onnx")


def test_no_pictures_at_all_are_refused(tiny_model: Path, tiny_int8_model: Path) -> None:
    for path in (tiny_model, tiny_int8_model):
        with pytest.raises(EngineError, match="an empty batch"):
            open_backend(path)(tensors(0))
