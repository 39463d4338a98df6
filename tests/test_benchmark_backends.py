from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarking import IMAGES, rows, run
from PIL import Image
from tiny import build_tiny, tiny_manifest

from crnn_edge.manifest import TtaSettings
from crnn_edge.recognizer import Recognizer
from examples.benchmarks import backends, report, results
from examples.benchmarks.child import Child
from examples.benchmarks.interleaved import Reader
from examples.benchmarks.programs import reader


@pytest.fixture(autouse=True)
def one_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough of a cold start for a test."""
    monkeypatch.setattr(backends, "_STARTS", 1)


@pytest.mark.parametrize(("count", "sizes"), [(20, [16]), (1295, [1, 16, 64]), (8, [64])])
def test_every_image_is_read_equally_often_and_half_of_them_alone(
    count: int, sizes: list[int]
) -> None:
    rounds = list(backends.parts(count, sizes))
    times = Counter(i for _, pictures in rounds for i in pictures)
    assert sorted(times) == list(range(count))
    assert len(set(times.values())) == 1
    together = [size for size, _ in rounds if size]
    assert together == (sizes * len(together))[: len(together)]
    assert all(len(pictures) % size == 0 for size, pictures in rounds if size)
    alone = sum(len(pictures) for size, pictures in rounds if size == backends.ALONE)
    assert 0.5 <= alone / times.total() < 0.7


CRASHING = """
from crnn_edge.backends.onnx import load as good
import os

class Backend:
    def __init__(self, backend):
        self.manifest, self.backend, self.calls = backend.manifest, backend, 0

    def __call__(self, tensor):
        self.calls += 1
        if self.calls > {calls}:
            os.abort()
        return self.backend(tensor)

def load(path, *, threads, device):
    return Backend(good(path, threads=threads, device=device))
"""


@pytest.mark.parametrize("calls", [0, 10, 20])
def test_a_backend_that_crashes_is_survived_and_reported(
    calls: int,  # until the crash: at the start, in a read, in a batch
    tiny_model: Path,
    crops: Path,
    tmp_path: Path,
    program: Callable[[str, str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    crashing = program("mine.crashing", CRASHING.format(calls=calls))
    code, out, _ = run(
        capsys, "backends", "--models", tiny_model, f"{tiny_model}={crashing}",
        f"{tiny_model}=mine.absent", "--threads", 1, "--images", crops, "--widths", 64, 256,
        "--batch", 1, 4, "--json", tmp_path / "a.json", "--png", tmp_path / "a.png",
    )  # fmt: skip
    assert code == 0
    assert rows(out)[0][:4] == ["tiny.onnx", "onnx", "fp32", "1"]
    assert "left out: tiny.onnx, mine.crashing, 1: " in out
    assert "SIGABRT" in out
    assert "left out: tiny.onnx, mine.absent, 1: " in out
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    found = results.load(tmp_path / "a.json")
    good = found["rows"][0]
    assert good["score"]["n"] == IMAGES
    assert good["reads"] >= IMAGES
    assert good["size_bytes"] == tiny_model.stat().st_size
    assert set(good["words_per_s"]) == {"1", "4"}
    assert set(good["widths_ms"]) == {"64", "256"}
    assert sum(good["cold_parts_ms"].values()) < good["cold_start_ms"]
    assert 10 < good["peak_rss_mb"] < 1000


def test_an_interrupt_prints_the_table_so_far(
    tiny_model: Path,
    crops: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(self: Reader, *arguments: Any) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(Reader, "read_batches", interrupted)  # in the second round
    code, out, err = run(
        capsys, "backends", "--models", tiny_model, "--threads", 1, "--images", crops
    )
    assert code == 0
    assert "interrupted" in err
    assert rows(out)[0][-1] == "16"  # of 20 pictures


def test_nothing_measured_is_a_failure(
    tiny_model: Path, crops: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = f"{tiny_model}=mine.absent"
    code, out, _ = run(capsys, "backends", "--models", absent, "--threads", 1, "--images", crops)
    assert code == 1
    assert "nothing was measured" in out


def test_a_baseline_that_crashes_costs_no_other_row(
    tiny_model: Path,
    crops: Path,
    program: Callable[[str, str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    crashing = program("mine.crashing", CRASHING.format(calls=0))
    code, out, _ = run(
        capsys, "backends", "--models", tiny_model, f"{tiny_model}={crashing}", "--threads", 1,
        "--images", crops, "--brief", "--baseline", "tiny.onnx, mine.crashing",
    )  # fmt: skip
    assert code == 0
    assert [cells[:2] for cells in rows(out)] == [["tiny.onnx", "onnx"]]


def test_an_unknown_baseline_is_refused_before_anything_is_measured(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "backends", "--models", tiny_model, "--baseline", "tiny")
    assert (code, out) == (1, "")
    assert "tiny.onnx, onnx, 1" in err


def test_models_without_time_are_reported(
    tiny_model: Path, crops: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(
        capsys, "backends", "--models", tiny_model, "--threads", 1, 2, "--images", crops,
        "--minutes", 1e-4,
    )  # fmt: skip
    assert code == 1
    assert "left out: tiny.onnx, onnx, 2: no time left" in out


SLOW_AT_FIRST = """
from crnn_edge.backends.onnx import load as good
import time

class Backend:
    def __init__(self, backend):
        self.manifest, self.backend, self.seen = backend.manifest, backend, set()

    def __call__(self, tensor):
        if tensor.shape not in self.seen:
            self.seen.add(tensor.shape)
            time.sleep(0.3)
        return self.backend(tensor)

def load(path, *, threads, device):
    return Backend(good(path, threads=threads, device=device))
"""


def test_work_done_once_a_width_does_not_count_as_a_read(
    tiny_model: Path, crops: Path, program: Callable[[str, str], str]
) -> None:
    slow = program("mine.slow", SLOW_AT_FIRST)
    with Child("reader", [str(tiny_model), slow, "1"]) as child:
        answer = child.ask("read", [str(crops / f"{k}.png") for k in range(4)])
        at_width = child.ask("at_width", 300, 2)
    assert max(model_ms for _, model_ms, *_ in answer["stages_ms"]) < 300
    assert max(at_width) < 300


def test_a_width_is_timed_at_one_look_whatever_the_model_advises(
    tmp_path: Path, program: Callable[[str, str], str]
) -> None:
    model = build_tiny(tmp_path / "tiny.onnx", tiny_manifest(tta=TtaSettings(1.0)))
    slow = program("mine.slow", SLOW_AT_FIRST)
    with Child("reader", [str(model), slow, "1"]) as child:
        assert max(child.ask("at_width", 300, 1)) < 300  # other widths, it has not met


def test_a_line_too_long_for_a_wider_look_is_read_as_the_recognizer_reads_it(
    tmp_path: Path,
) -> None:
    model = build_tiny(tmp_path / "tiny.onnx", tiny_manifest(tta=TtaSettings(1.0)))
    noise = np.random.default_rng(0).integers(0, 256, (32, 1700), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "long.png")
    answer = reader.start(str(model), "", "1")["read"]([str(tmp_path / "long.png")])
    assert answer["texts"] == [Recognizer.load(model)(noise).text]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"format": 0, "rows": []}',
        '{"format": 2}',
        '{"format": 2, "rows": [], "conditions": "", "data": {}}',
        '{"format": 2, "rows": [1], "conditions": "", "data": {"folder": "", "images": 1}}',
        '{"format": 2, "rows": [{}], "conditions": "", "data": {"folder": "", "images": 1}}',
        (Path(__file__).parent / "arm" / "instructions.json").read_text(),  # of another benchmark
    ],
)
def test_comparing_with_a_foreign_file_is_refused_before_anything_is_measured(
    content: str, tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.json").write_text(content)
    code, out, err = run(
        capsys, "backends", "--models", tiny_model, "--compare", tmp_path / "old.json"
    )
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert "old.json" in err


def test_the_figures_are_saved_before_they_are_compared(
    tiny_model: Path,
    crops: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = {"format": 2, "rows": [], "conditions": "", "data": {"folder": "", "images": 1}}
    (tmp_path / "old.json").write_text(json.dumps(old))
    monkeypatch.delattr(report, "comparison")
    with pytest.raises(AttributeError, match="comparison"):
        run(
            capsys, "backends", "--models", tiny_model, "--threads", 1, "--images", crops,
            "--json", tmp_path / "new.json", "--compare", tmp_path / "old.json",
        )  # fmt: skip
    assert len(results.load(tmp_path / "new.json")["rows"]) == 1
