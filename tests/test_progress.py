from __future__ import annotations

import io
import logging

import pytest

from crnn_edge import progress
from crnn_edge.progress import Progress, erase_bar, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_without_a_terminal_there_is_one_line_a_minute(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "crnn_edge")
    for _ in track(range(600), "reading", unit="images"):
        clock.now += 0.5
    assert caplog.messages == [
        f"reading: {n}/600 images ({n // 6} %), 2 images/s, 0:0{5 - k}:00 left"
        for k, n in enumerate((120, 240, 360, 480, 600), start=1)
    ]


def test_a_terminal_gets_a_bar_that_is_removed(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with Progress("training", 10, initial=4) as bar:
        clock.now += 2
        bar.status = "loss 0.5"
        bar.update()
        shown = terminal.getvalue()
        bar.update()  # too soon to be drawn again
        assert terminal.getvalue() == shown
    assert "training: 5/10 steps (50 %), 0.5 steps/s, 0:00:10 left, loss 0.5" in shown
    assert terminal.getvalue().endswith("\r\x1b[K")
    length = len(terminal.getvalue())
    erase_bar()
    assert len(terminal.getvalue()) == length


def test_nothing_is_shown_where_it_is_disabled(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "crnn_edge")
    with Progress("reading", disable=True) as bar:
        clock.now += 1000
        bar.update(7)
    assert not caplog.messages
    assert bar.count == 7
