from __future__ import annotations

import json
import math
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn_edge.metrics import Estimate, proportion
from crnn_edge.tables import figure, markdown, percent, times
from examples.benchmarks import machine
from examples.benchmarks.interleaved import against
from examples.benchmarks.machine import Conditions
from examples.benchmarks.programs.timing import timed
from examples.benchmarks.stats import as_list, from_list, median, ratio


def test_the_median_of_known_numbers() -> None:
    found = median([5.0, 1.0, 100.0, 3.0, 4.0, 2.0, 6.0])
    assert found == 4.0
    assert 1 <= found.low <= 4 <= found.high <= 100


@given(st.lists(st.floats(0.001, 1000), min_size=6, max_size=40))
def test_an_interval_encloses_its_median_and_stays_within_the_sample(values: list[float]) -> None:
    found = median(values)
    assert min(values) <= found.low <= found <= found.high <= max(values)


def test_more_rounds_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    few, many = (median(rng.normal(10, 1, n).tolist()) for n in (10, 1000))
    assert many.high - many.low < (few.high - few.low) / 3


@pytest.mark.parametrize("count", [6, 97, 3000])
def test_an_interval_is_that_of_2000_resamples_and_holds_few_of_them_at_once(count: int) -> None:
    values = np.random.default_rng(1).lognormal(size=count)
    tracemalloc.start()
    found = median(values.tolist())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    drawn = values[np.random.default_rng(0).integers(count, size=(2000, count))]
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    assert (found, found.low, found.high) == (np.median(values), low, high)
    assert peak < 4e6  # bytes; all at once would be 144 million


def test_too_few_rounds_claim_no_interval() -> None:
    found = median([1.0, 2.0, 3.0])
    assert found == 2.0
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert times(found) == "2.00×"


def test_a_busy_minute_cancels_out_of_a_ratio() -> None:
    load = [1.0, 1.1, 9.0, 50.0, 1.2, 1.0, 7.0, 2.0]
    found = ratio([3 * x for x in load], load)
    assert as_list(found) == [3.0, 3.0, 3.0]


def test_rounds_that_only_one_side_had_do_not_count() -> None:
    found = against({0: 2.0, 1: 4.0, 2: 100.0}, {0: 1.0, 1: 2.0, 3: 1e-6})
    assert found == 2.0
    assert against({0: 1.0}, {1: 1.0}) is None
    with pytest.raises(ValueError, match="2 rounds"):
        ratio([1.0, 2.0], [1.0])


@pytest.mark.parametrize("value", [None, median([1.0]), proportion(3, 7)])
def test_estimates_survive_json(value: Estimate | None) -> None:
    there = from_list(json.loads(json.dumps(as_list(value), allow_nan=False)))
    assert as_list(there) == as_list(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (1.0, "1.00"), (12.34, "12.3"), (1234.5, "1,234"), (0, "0"),
     (0.00012, "0.0001"), (math.nan, "–")],
)  # fmt: skip
def test_three_digits_count(value: float, text: str) -> None:
    assert figure(value) == text


def test_a_percentage_has_its_interval() -> None:
    assert percent(proportion(50, 100)) == "50.0 ± 9.6"


def test_markdown_rows_have_equally_many_cells_whatever_they_hold() -> None:
    lines = markdown(["name", "x"], [["a|b", "1"], ["long name here", "22"]]).splitlines()
    assert {len(line) for line in lines} == {len(lines[0])}
    assert [line.replace(r"\|", "").count("|") for line in lines] == [3, 3, 3, 3]


def test_whole_reads_are_timed_by_clock_and_processor() -> None:
    found = timed(str.upper, ["a", "b"])
    assert found["texts"] == ["A", "B"]
    assert np.shape(found["stages_ms"]) == (2, 2)
    assert np.min(found["stages_ms"]) >= 0


def test_conditions_describe_changes_and_unknowns() -> None:
    before = Conditions("Board", "3.11", "Linux 6", "", 1000.0, 50.0, "0x0", 0.5, 3.0, 100.0)
    after = Conditions("Board", "3.11", "Linux 6", "", 1000.0, 80.0, "0x4", 0.5, 10.0, 100.9)
    text = before.describe(after)
    for part in ("governor unknown", "1000 MHz", "50 → 80 °C", "0x0 before, 0x4 after", "7 s"):
        assert part in text
    assert "other programs" not in text
    assert ", 12 s of processor time taken by other programs" in before.describe(
        replace(after, others_s=112.0)
    )
    assert "other programs" not in replace(before, others_s=None).describe(after)


def test_our_own_processor_time_is_not_that_of_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stat = tmp_path / "stat"
    monkeypatch.setattr(machine, "_STAT", stat)
    monkeypatch.setattr("os.sysconf", lambda _: 100)
    monkeypatch.setattr("os.times", lambda: os.times_result((10.0, 2.0, 30.0, 4.0, 999.0)))
    stat.write_text("cpu  6000 500 1000 77777 88888 40 60 1234 0 0\ncpu0 1 1 1 1\n")
    assert machine.conditions().others_s == pytest.approx(60 + 5 + 10 + 0.4 + 0.6 - 46)
    assert machine.conditions().stolen_s == pytest.approx(12.34)
    stat.unlink()
    assert machine.conditions().others_s is None
    assert machine.conditions().stolen_s is None
