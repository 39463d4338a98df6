from __future__ import annotations

from typing import Any

import pytest
from benchmarking import rows

from crnn_edge.errors import CrnnError
from examples.benchmarks import report, results


def result(file: str, ms: float, accuracy: float = 0.75, threads: int = 1) -> dict[str, Any]:
    """A row as `results` has it."""
    quantiles = {"p50_ms": ms, "p95_ms": 2 * ms, "p99_ms": 3 * ms}
    share = [accuracy, accuracy - 0.02, accuracy + 0.02]
    return {
        "file": file, "backend": "onnx", "threads": threads, "name": "net",
        "label": f"{file}, onnx, {threads}", "precision": "int8",
        "engine": {"onnxruntime": "1.0"}, "size_bytes": 1_000_000,
        "cold_start_ms": 100.0, "cold_parts_ms": {"import": 50.0, "load": 20.0, "first read": 3.0},
        "peak_rss_mb": 50.0, "read_ms": quantiles,
        "read_median_ms": [ms, 0.98 * ms, 1.02 * ms],
        "stages_ms": {stage: quantiles for stage in results.STAGES}, "overhead": 0.1,
        "times_baseline": [1.0, None, None], "words_per_s": {"16": [1e3 / ms, None, None]},
        "times_one_thread": {}, "widths_ms": {},
        "score": {"n": 100, "accuracy": share, "exact": share},
    }  # fmt: skip


def figures(*found: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": results.FORMAT, "baseline": found[0]["label"], "rows": list(found),
        "failures": {}, "conditions": "Board, arm64",
        "data": {"folder": "crops", "images": 100},
    }  # fmt: skip


def test_a_batch_that_does_not_scale_is_reported() -> None:
    row = result("a.onnx", 1.0, threads=2) | {"times_one_thread": {"16": [1.2, 1.1, 1.3]}}
    assert "does not scale to 2 threads, 16 at once: a.onnx (onnx) 1.20×" in report.table(
        figures(row)
    )
    row["times_one_thread"] = {"16": [1.7, 1.6, 1.8]}
    assert "does not scale" not in report.table(figures(row))


def advice(*found: dict[str, Any]) -> list[str]:
    lines = report.table(figures(*found)).splitlines()
    return [line.removeprefix("- recommended ") for line in lines if "recommended" in line]


def test_the_soonest_reader_is_recommended_unless_it_reads_worse() -> None:
    slow, fast, wrong = result("slow", 2.0), result("fast", 1.0), result("wrong", 0.1, 0.05)
    (text,) = advice(slow, fast, wrong)
    assert text.startswith("for net: fast in onnx (1.00 ms a read, 1,000 words/s 16")
    other = result("other", 9.0) | {"name": "another net"}
    assert len(advice(slow, fast, other)) == 2


def test_a_crashed_reader_is_not_recommended() -> None:
    found = figures(result("slow", 2.0), result("fast", 1.0))
    found["failures"] = {"fast, onnx, 1": "was ended by SIGSEGV"}
    assert "- recommended for net: slow in onnx" in report.table(found)


@pytest.mark.parametrize(
    ("scaling", "ms", "threads"), [(1.9, 0.6, 2), (1.9, 1.0, 2), (1.5, 0.6, 1), (1.9, 1.3, 1)]
)
def test_more_threads_are_recommended_only_where_they_pay(
    scaling: float, ms: float, threads: int
) -> None:
    two = result("a", ms, threads=2) | {"times_one_thread": {"16": [scaling, None, None]}}
    (text,) = advice(result("a", 1.0), two)
    assert f"threads: {threads} " in text


def test_the_table_has_each_stage_and_the_overhead() -> None:
    found = figures(result("a", 1.0))
    head = report.table(found).splitlines()[2]
    for part in ("a read", "preprocess", "model", "decode"):
        assert f"{part} p50 / p95 / p99" in head
    for brief in (False, True):
        assert "overhead %" in report.table(found, brief=brief)
    assert "100 (50.0 + 20.0 + 3.00)" in report.table(found)


def test_a_comparison_lists_slower_new_and_removed_rows() -> None:
    old = figures(*(result(f, 1.0) for f in ("slower", "faster", "noise", "gone")))
    new = figures(
        result("slower", 1.2), result("faster", 0.8), result("noise", 1.03, 0.8), result("new", 1.0)
    )
    verdicts = {
        cells[0].partition(",")[0]: cells[-1] for cells in rows(report.comparison(old, new))
    }
    assert verdicts == {
        "slower": "slower", "faster": "faster", "noise": "the same", "new": "new", "gone": "gone",
    }  # fmt: skip
    assert rows(report.comparison(old, new))[2][-2] == "+5.0"


def test_wide_intervals_do_not_accuse() -> None:
    assert report.verdict([1.0, 0.5, 2.0], [1.5, 1.0, 2.5]) == "the same"
    assert report.verdict([1.0, None, None], [9.0, None, None]) == "the same"


def test_another_machine_and_other_images_are_reported_in_a_comparison() -> None:
    old, new = figures(result("a", 1.0)), figures(result("a", 1.0))
    assert "another machine" not in report.comparison(old, new)
    old["conditions"] = "Another board, arm64"
    assert "The earlier run was on another machine: Another board" in report.comparison(old, new)
    old["data"] = {"folder": "others", "images": 9}
    assert "The earlier run read other images: 9 images of others" in report.comparison(old, new)


def test_an_unknown_baseline_lists_the_rows() -> None:
    with pytest.raises(CrnnError, match=r"'b'.*a\.onnx, onnx, 1"):
        results.baseline(["a.onnx, onnx, 1"], "b")


@pytest.mark.parametrize(
    ("wanted", "row"),
    [(None, 0), ("crnn.onnx", 1), ("crnn.onnx, numpy", 3), ("crnn.onnx, onnx, 2", 2)],
)
def test_a_baseline_is_called_by_its_file_engine_and_threads(wanted: str | None, row: int) -> None:
    labels = ["crnn.onnx-lite, onnx, 1", *(f"crnn.onnx, onnx, {n}" for n in (1, 2))]
    labels.append("crnn.onnx, numpy, 1")
    assert results.baseline(labels, wanted) == labels[row]
