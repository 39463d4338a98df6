from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import pytest

from examples.benchmarks.child import ChildError
from examples.benchmarks.interleaved import Reader, chunks, fair_s, run_interleaved


@pytest.mark.parametrize(("count", "at_least", "times_each"), [(20, 1, 1), (20, 45, 3)])
def test_each_image_is_read_equally_often(count: int, at_least: int, times_each: int) -> None:
    numbers = [i for chunk in chunks(count, 8, at_least) for i in chunk]
    assert sorted(numbers) == sorted(list(range(count)) * times_each)
    assert numbers == [i for chunk in chunks(count, 8, at_least) for i in chunk]
    assert numbers[:count] != list(range(count))


def test_the_order_rotates_and_a_failing_reader_is_left_out() -> None:
    readers = [Reader(label) for label in "abc"]
    seen: list[str] = []

    def measure(reader: Reader, number: int, about: str) -> None:
        seen.append(f"{reader.label}{number}{about}")
        if (reader.label, number) == ("b", 1):
            raise ChildError("was ended by SIGSEGV")

    run_interleaved(readers, ["x", "y", "z"], measure, 60)
    assert seen == ["a0x", "b0x", "c0x", "b1y", "c1y", "a1y", "c2z", "a2z"]
    assert [reader.failure for reader in readers] == ["", "was ended by SIGSEGV", ""]


def test_a_slow_reader_leaves_time_for_the_others() -> None:
    slow, fast = Reader("slow", spent_s=60.0), Reader("fast")
    seen: list[str] = []
    run_interleaved([slow, fast], range(3), lambda reader, *_: seen.append(reader.label), 60)
    assert seen == ["fast"] * 3


@pytest.mark.parametrize(
    ("needs_s", "share_s"),
    [([math.inf, math.inf], 30.0), ([10.0, 100.0], 50.0), ([10.0, 20.0], math.inf),
     ([50.0, 1.0, 50.0, 9.0], 25.0)],
)  # fmt: skip
def test_time_left_by_fast_readers_is_shared_by_slow_ones(
    needs_s: list[float], share_s: float
) -> None:
    assert fair_s(needs_s, 60.0) == share_s


def test_no_round_begins_when_the_time_is_up(capsys: pytest.CaptureFixture[str]) -> None:
    readers = [Reader("a"), Reader("b")]
    run_interleaved(readers, range(1000), lambda *_: time.sleep(0.01), 0.05)
    assert 1 <= sum(reader.num_rounds for reader in readers) <= 6
    assert "time is up: a was measured" in capsys.readouterr().err


def test_rounds_run_without_a_bar_if_tqdm_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    reader = Reader("a")
    run_interleaved([reader], range(3), lambda *_: None, 60)
    assert reader.num_rounds == 3


def test_a_round_takes_as_long_as_its_reads_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader("looks again")
    answer = {"texts": ["a", "b", "c"], "stages_ms": [[9, 1], [9, 1], [9, 7]]}
    monkeypatch.setattr(reader, "ask", lambda *_: answer)
    reader.read(0, [0, 1, 2], [Path("a"), Path("b"), Path("c")], slice(1, 2))
    assert reader.rounds_ms == {0: 3.0}  # of which a median would tell 1
