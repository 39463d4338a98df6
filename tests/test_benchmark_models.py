from __future__ import annotations

from pathlib import Path

import pytest

from crnn_edge.backends import find_model
from crnn_edge.errors import CrnnError
from crnn_edge.files import model_size
from examples.benchmarks.child import ROOT
from examples.benchmarks.models import file_and_backend, models, titles


def test_a_model_is_a_file_and_perhaps_a_backend(tiny_model: Path) -> None:
    given = [str(tiny_model), f"{tiny_model}=mine.backend"]
    found = models([*given, *given])
    assert found == [(tiny_model, "onnx"), (tiny_model, "mine.backend")]
    with pytest.raises(CrnnError, match=r"none\.onnx"):
        models(["none.onnx"])


def test_a_path_may_have_an_equals_sign_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "lr=0.1" / "m=2.onnx"
    path.parent.mkdir()
    path.touch()
    assert models([str(path), f"{path}=numpy"]) == [(path, "onnx"), (path, "numpy")]
    assert file_and_backend(f"{path}=mine.backend", "--model") == (path, "mine.backend")
    assert file_and_backend("crnn-lite=onnx", "--model") == (find_model("crnn-lite"), "onnx")
    with pytest.raises(CrnnError, match=r"--model .*lr=0\.1/none\.onnx: no such file"):
        file_and_backend(str(path.with_name("none.onnx")), "--model")


def test_a_file_whose_suffix_names_no_engine_needs_one(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.touch()
    assert models([f"{path}=model.network.backend"]) == [(path, "model.network.backend")]
    with pytest.raises(CrnnError, match=r"a\.safetensors=model\.network\.backend"):
        models([str(path)])


def test_without_a_choice_all_that_ship_are_measured() -> None:
    names = titles(path for path, _ in models(None)).values()
    assert "runtime/crnn_edge/models/crnn-lite.onnx" in names
    assert "model/weights/crnn-lite.safetensors" in names


def test_a_file_of_the_project_is_called_by_its_place_in_it() -> None:
    shipped, built = ROOT / "runtime" / "crnn_edge" / "models" / "a.onnx", ROOT / "build" / "a.onnx"
    assert titles([shipped]) == {shipped: "runtime/crnn_edge/models/a.onnx"}
    assert titles([shipped, built])[shipped] == "runtime/crnn_edge/models/a.onnx"


def test_other_files_are_named_by_their_distinguishing_paths() -> None:
    paths = [Path("/x/a/m/a.onnx"), Path("/x/b/m/a.onnx"), Path("/x/b.onnx")]
    assert list(titles(iter(paths)).values()) == ["a/m/a.onnx", "b/m/a.onnx", "b.onnx"]


def test_the_weights_beside_a_file_count_to_its_size(tmp_path: Path) -> None:
    for name, size in (("a.xml", 10), ("a.bin", 100), ("b.onnx", 7), ("b.bin", 1)):
        (tmp_path / name).write_bytes(bytes(size))
    assert model_size(tmp_path / "a.xml") == 110
    assert model_size(tmp_path / "b.onnx") == 7
