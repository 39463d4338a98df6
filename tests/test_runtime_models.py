"""What the runtime's commands tell of model files: `info`, `check`, `bench`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from runtime_cli import run
from tiny import CHARSET, build_tiny, tiny_manifest

from crnn_edge.benchmark import bench
from crnn_edge.charset import Charset
from crnn_edge.metrics import score
from crnn_edge.recognizer import Recognizer
from crnn_edge.selftest import SelfTestResult, selftest_image


def test_info_tells_what_the_file_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = tiny_manifest(
        version="7", provenance={"checkpoint": "f00d"}, metrics={"dev": {"n": 9}}
    )
    path = build_tiny(tmp_path / "x.onnx", manifest)
    code, out, _ = run(capsys, "info", path)
    assert code == 0
    for told in (
        "tiny, version 7, fp32",
        "10 tokens: abcdefghij",
        "height 32",
        "f00d",
        '{"n": 9}',
        f"{path.stat().st_size:,} bytes",
    ):
        assert told in out
    _, out, _ = run(capsys, "info", path, "--json")
    assert json.loads(out) == json.loads(manifest.to_json())


def test_check_passes_on_the_network_that_was_exported(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "check", tiny_model)
    assert (code, err) == (0, "")
    assert "checked time steps agree" in out
    _, out, _ = run(capsys, "check", tiny_model, "--json")
    assert json.loads(out)["ok"] is True


def test_check_fails_on_another_network_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = build_tiny(tmp_path / "x.onnx", tiny_manifest(selftest=(*[-1] * 39, 0)))
    code, out, err = run(capsys, "check", path)
    found = err.partition("step 39: ")[2]
    assert (code, out) == (1, "")
    assert err.startswith(f"error: self-test of {path} failed on this machine: output differs")
    assert found.endswith(", expected blank))\n")
    code, out, _ = run(capsys, "check", path, "--json")
    assert code == 1
    assert json.loads(out)["differences"][0][:2] == [39, 0]


def test_check_calls_a_step_without_a_winner_by_name() -> None:
    told = SelfTestResult(expected=(1, 2, -1), computed=(1, -1, -1)).describe(Charset(("a", "b")))
    assert told == "1 of 2 checked time steps differ (step 1: NaN, expected 'b')"
    told = SelfTestResult(expected=(1,) * 11, computed=(0,) * 11).describe(Charset(("a", "b")))
    assert told.startswith(
        "11 of 11 checked time steps differ (step 0: blank, expected 'a'; step 1"
    )
    assert told.endswith("step 7: blank, expected 'a'; and 3 more)")


def test_bench_measures_each_stage_and_scores_labels(
    tiny_model: Path, tiny_int8_model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {p.name: Recognizer.load(tiny_model)(np.asarray(Image.open(p))).text
             for p in sorted(pictures.glob("*.png"))}  # fmt: skip
    texts["c.png"] = "something else"
    (pictures / "labels.tsv").write_text("".join(f"{k}\t{v}\n" for k, v in texts.items()))
    arguments = ("bench", tiny_model, tiny_int8_model, "--images", pictures, "--runs", 12)
    code, out, err = run(capsys, *arguments, "--json", "--threads", 1)
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["threads"] == 1
    assert told["machine"]
    first, second = told["models"]
    assert (first["precision"], second["precision"]) == ("fp32", "int8")
    assert first["size_bytes"] == tiny_model.stat().st_size
    assert first["score"]["n"] == 3
    assert first["score"]["exact"][0] == pytest.approx(2 / 3, abs=1e-4)
    assert first["cold_start_ms"] > first["read"]["p99_ms"] > 0
    assert set(first["stages"]) == {"preprocess", "model", "decode", "confidence"}
    for q in (first["read"], *first["stages"].values()):
        assert 0 < q["p50_ms"] <= q["p95_ms"] <= q["p99_ms"]
    assert first["words_per_s"] > 0


def test_bench_prints_a_table_without_labels(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "bench", tiny_model, "--runs", 5)
    assert code == 0
    for told in ("p50", "p99", "a read", "preprocess", "words/s", "cold start", "7,"):
        assert told in out
    assert "accuracy" not in out


def test_bench_counts_symbols_whole(tmp_path: Path) -> None:
    symbols = Charset(tuple(f"note-{token}" for token in CHARSET.tokens), " ")
    path = build_tiny(tmp_path / "x.onnx", tiny_manifest(charset=symbols))
    images = [selftest_image(), selftest_image()[:, :90]]
    readings = [reading.text for reading in Recognizer.load(path).batch(images)]
    truths = [symbols.join(symbols.split(text)[:-1]) for text in readings]
    (report,) = bench([path], images, truths, runs=1)
    assert report.score == score(truths, readings, symbols)
    assert report.score != score(truths, readings)
