"""One network in every format: the same text, the same manners, no damaged file believed."""

from __future__ import annotations

import importlib
import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from crnn_edge import selftest
from crnn_edge.backends import open_backend
from crnn_edge.cli.main import main as runtime_main
from crnn_edge.errors import EngineError, ModelFileError
from crnn_edge.labels import LabelledFolder
from crnn_edge.recognizer import Recognizer
from export.cli import main as export_main
from model.network.backend import TorchBackend
from model.network.checkpoint import load_checkpoint
from quantize.cli import main as quantize_main
from quantize.pipeline import load_quantizer
from tests.test_export import furnish, tiny_checkpoint

NAMES = ["onnx", "numpy", "openvino", "tflite"]
MUTANTS = 1000


def export(name: str, home: Path, *argv: object) -> int:
    fixed = [home / "tiny.safetensors", "--calibration", home / "crops"]
    return export_main(name, [str(value) for value in (*fixed, *argv)])


def suffix(name: str) -> str:
    return load_quantizer(name).fmt.suffix


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return furnish(tmp_path_factory.mktemp("all"))


@pytest.fixture(scope="module")
def files(home: Path) -> dict[tuple[str, str], Path]:
    """A verified file for each format and precision."""
    paths = {}
    for name in NAMES:
        for precision, flags in (("fp32", []), ("int8", ["--int8", "--max-drop", 100])):
            path = home / f"{name}-{precision}{suffix(name)}"
            assert export(name, home, "--out", path, *flags) == 0
            paths[name, precision] = path
    return paths


def tensors(count: int, width: int = 64) -> np.ndarray:
    loudness = np.linspace(0.1, 3, count)[:, None, None, None]
    noise = np.random.default_rng(0).normal(size=(count, 1, 32, width))
    return (noise * loudness).astype(np.float32)


def test_every_backend_reads_the_same_text_twice(files, home: Path) -> None:
    folder = LabelledFolder(home / "crops")
    images = [folder[i][0] for i in range(len(folder))]
    for name in NAMES:
        reader = Recognizer(open_backend(files[name, "fp32"], threads=1))
        first = reader.log_probs(images)
        kept = [rows.copy() for rows in first]
        second = reader.log_probs(images[::-1])[::-1]
        for a, b, c in zip(first, kept, second, strict=True):
            np.testing.assert_array_equal(a, b)  # the second did not overwrite the first
            np.testing.assert_allclose(a, c, atol=1e-4)
        assert [reader(image).text for image in images] == folder.texts, name
        assert [reading.text for reading in reader.batch(images)] == folder.texts, name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("layers", "final_kernel"), [(1, (2, 1)), (2, (2, 2))])
def test_the_file_computes_what_torch_computes_in_any_shape(
    tmp_path: Path, name: str, layers: int, final_kernel: tuple[int, int]
) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "tiny.safetensors", layers, final_kernel)
    path = tmp_path / f"tiny{suffix(name)}"
    importlib.import_module(f"export.{name}").convert(checkpoint, path)
    backend = open_backend(path, threads=1)
    for count, width in ((1, 64), (3, 160), (2, 32), (1, 64)):
        expected = TorchBackend.from_checkpoint(checkpoint)(tensors(count, width))
        logits = backend(tensors(count, width))
        assert logits.dtype == np.float32
        assert np.abs(expected).max() > 1
        np.testing.assert_allclose(logits, expected, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_answer_is_the_same_alone_in_company_and_on_two_threads(
    files, name: str, precision: str
) -> None:
    batch = tensors(5)
    together = open_backend(files[name, precision], threads=2)(batch)
    backend = open_backend(files[name, precision], threads=1)
    first = backend(batch[:1])
    kept = first.copy()
    for i in range(1, 5):
        np.testing.assert_allclose(backend(batch[i : i + 1]), together[i : i + 1], atol=1e-3)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_allclose(first, together[:1], atol=1e-3)
    first[:] = 0  # writable


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_several_threads_may_call_one_backend(files, name: str, precision: str) -> None:
    backend = open_backend(files[name, precision], threads=1)
    given = [tensors(4, width)[i : i + 1] for i in range(4) for width in (64, 160, 416)]
    alone = [backend(tensor) for tensor in given]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(backend, given * 25))
    for found, expected in zip(together, alone * 25, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_finished_file_says_what_it_is_and_proves_it(
    files, home: Path, name: str, precision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = load_checkpoint(home / "tiny.safetensors").manifest
    backend = open_backend(files[name, precision])
    for fact in ("name", "version", "charset", "preprocess", "stride", "schema"):
        assert getattr(backend.manifest, fact) == getattr(before, fact)
    assert before.provenance.items() <= backend.manifest.provenance.items()
    assert backend.manifest.precision == precision
    assert precision in backend.manifest.metrics
    assert selftest.run_selftest(backend).ok
    assert runtime_main(["check", str(files[name, precision])]) == 0
    assert "agree" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_the_same_checkpoint_gives_the_same_bytes(files, home: Path, tmp_path, name: str) -> None:
    path = tmp_path / files[name, "int8"].name
    assert export(name, home, "--int8", "--max-drop", 100, "--out", path) == 0
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (home / file.name).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_an_export_beyond_the_tolerance_leaves_no_file(
    home: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.pipeline.TOLERANCE", 0.0)
    assert export(name, home, "--out", tmp_path / f"x{suffix(name)}") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_int8_is_made_from_fp32_alone(files, home: Path, tmp_path: Path, name: str, capsys) -> None:
    quantizer = load_quantizer(name)
    out = tmp_path / f"small{suffix(name)}"
    argv = ["--calibration", home / "crops", "--max-drop", 100, "--out", out, "--json"]
    source = files[name, "fp32"]
    assert quantize_main(quantizer, [str(value) for value in (source, *argv)]) == 0
    assert json.loads(capsys.readouterr().out)["verified"][0]["candidate"]["precision"] == "int8"
    assert selftest.run_selftest(open_backend(out)).ok
    again = [str(value) for value in (out, *argv[:-2], tmp_path / f"smaller{suffix(name)}")]
    assert quantize_main(quantizer, again) == 1
    assert "int8 already" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_another_device_is_an_error(files, name: str) -> None:
    with pytest.raises(EngineError, match="no device 'magic'"):
        open_backend(files[name, "fp32"], device="magic")


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One damage of a kind that happens: bits, cuts, holes, repeats, strange numbers."""
    at = rng.randrange(len(data))
    length = min(rng.choice((1, 4, 64, 4096)), len(data) - at)
    match rng.randrange(6):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        case 2:
            return data[:at] + bytes(length) + data[at + length :]
        case 3:
            return data[:at] + b"\xff" * length + data[at + length :]
        case 4:
            return data[:at] + data[at : at + length] + data[at:]
        case _:
            return data[:at] + data[at + length :]


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_refused_in_one_line_or_reads_as_before(
    files, tmp_path: Path, name: str
) -> None:
    whole = files[name, "int8"]
    parts = sorted(whole.parent.glob(f"{whole.stem}.*"))
    expected = open_backend(whole, threads=1)(tensors(1))
    rng = random.Random(2026)
    believed, complaints = 0, []
    for number in range(MUTANTS):
        victim = parts[number % len(parts)]
        for part in parts:
            data = part.read_bytes()
            (tmp_path / part.name).write_bytes(mutate(data, rng) if part is victim else data)
        try:
            backend = open_backend(tmp_path / whole.name, threads=1)
            logits = backend(tensors(1))
        except (ModelFileError, EngineError) as error:
            complaints.append(str(error))
        else:
            believed += 1
            np.testing.assert_array_equal(logits, expected)
    assert believed < MUTANTS / 10
    assert all(whole.stem in line and "\n" not in line for line in complaints)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", [b"\0" * 64, b"PK\x05\x06" + b"\0" * 18, b"<net/>", b"x" * 999])
def test_a_foreign_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / f"foreign{suffix(name)}"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="foreign"):
        open_backend(path)
