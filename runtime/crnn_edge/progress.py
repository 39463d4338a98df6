"""Progress of long work on standard error: a bar on a terminal, else one log line a minute."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import TypeVar

log = logging.getLogger("crnn_edge")

_T = TypeVar("_T")
_REDRAW_S = 0.1
_LOG_EVERY_S = 60.0
_ERASE = "\r\x1b[K"

_drawn: Progress | None = None


class Progress:
    """Counts steps and shows how far the work is; a context manager.

    Only one bar is on a terminal at a time: an inner one hides the outer one until it is closed.

    Args:
        description: What is done, such as `training`.
        total: Steps in all; None if unknown.
        unit: What a step is, in the plural: `steps`, `images`.
        initial: Steps done before.
        disable: Show nothing.

    Attributes:
        count: Steps done.
        status: Shown behind the count, such as `loss 0.31`; may be set at any time.
    """

    def __init__(
        self,
        description: str,
        total: int | None = None,
        *,
        unit: str = "steps",
        initial: int = 0,
        disable: bool = False,
    ) -> None:
        """Start the clock."""
        self.description = description
        self.total = total
        self.unit = unit
        self.count = initial
        self.status = ""
        self._initial = initial
        self._disable = disable
        self._on_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._start = time.monotonic()
        self._next = self._start + (0.0 if self._on_terminal else _LOG_EVERY_S)

    def __enter__(self) -> Progress:
        """Nothing is shown before the first update."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        self.close()

    def update(self, steps: int = 1) -> None:
        """Count steps, and show the progress if the last time was long enough ago."""
        self.count += steps
        now = time.monotonic()
        if self._disable or now < self._next:
            return
        if self._on_terminal:
            global _drawn
            _drawn = self
            self._next = now + _REDRAW_S
            sys.stderr.write(f"{_ERASE}{self}")
            sys.stderr.flush()
        else:
            self._next = now + _LOG_EVERY_S
            log.info("%s", str(self))  # now: it changes

    def close(self) -> None:
        """Remove the bar from the terminal."""
        if _drawn is self:
            erase_bar()

    def __str__(self) -> str:
        """Such as `training: 1200/180000 steps (1 %), 12.3 steps/s, 4:02:11 left, loss 0.31`."""
        seconds = max(time.monotonic() - self._start, 1e-9)
        rate = (self.count - self._initial) / seconds
        parts = [f"{self.count:,} {self.unit}"]
        if self.total:
            share = 100 * self.count // self.total
            parts = [f"{self.count:,}/{self.total:,} {self.unit} ({share} %)"]
        parts.append(f"{rate:.3g} {self.unit}/s")
        if self.total and rate > 0:
            left_s = round(max(self.total - self.count, 0) / rate)
            parts.append(f"{left_s // 3600}:{left_s // 60 % 60:02}:{left_s % 60:02} left")
        if self.status:
            parts.append(self.status)
        return f"{self.description}: {', '.join(parts)}"


def erase_bar() -> None:
    """Remove the bar that is on the terminal, if any, so that a line can be written."""
    global _drawn
    if _drawn is not None:
        _drawn = None
        sys.stderr.write(_ERASE)
        sys.stderr.flush()


def track(
    items: Iterable[_T],
    description: str,
    *,
    unit: str = "steps",
    total: int | None = None,
    disable: bool = False,
) -> Iterator[_T]:
    """The items, one after the other, with their progress shown.

    Args:
        items: What is iterated over.
        description: As of `Progress`.
        unit: As of `Progress`.
        total: How many there are; None for their length, if they have one.
        disable: Show nothing.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(description, total, unit=unit, disable=disable) as progress:
        for item in items:
            yield item
            progress.update()
