"""How every command of the toolkit runs: errors, exit codes, signals, logging.

An entry point parses its options with modules that import nothing heavy, and hands the work to
`run_command`; the work imports what it needs:

    def main(argv: Sequence[str] | None = None) -> int:
        config = parse(argv)

        def work() -> int:
            from model.training.trainer import train  # imports torch

            return train(config).exit_code

        return run_command(work, extra="train")
"""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crnn_edge.errors import CrnnError
from crnn_edge.escape import escape_line, escape_lines
from crnn_edge.install_hint import missing_module_message
from crnn_edge.progress import erase_bar

log = logging.getLogger("crnn_edge")
"""The logger of the whole toolkit: every module writes to `logging.getLogger("crnn_edge")`."""


def run_command(work: Callable[[], int | None], *, extra: str | None = None) -> int:
    """Run a command's work; errors that users can cause become one line, not a traceback.

    SIGTERM and a closed terminal end the work as Ctrl-C does, through every `finally`, so that no
    partly written file is left. Log messages of the toolkit go to standard error.

    Args:
        work: What to do; returns the exit code, None for 0. It imports heavy modules itself.
        extra: The extra of `pyproject.toml` that brings all packages that the work needs, for the
            message if one is missing; None for the smallest one that brings that package.

    Returns:
        The result of `work`; 1 after a line `error: …` on standard error, and if the reader of
        standard output has gone; 130 after an interruption.
    """
    if sys.stderr is None:  # closed; `print(file=None)` would write to standard output
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # any charset, any file name, on any system
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    with _logging_to_stderr():
        if sys.stdout is None:  # closed, as by `>&-`
            log.error("standard output is closed: redirect it to a file or to /dev/null")
            return 1
        try:
            with _signals_interrupt():
                code = work() or 0
            sys.stdout.flush()
        except BrokenPipeError:  # `… | head` has ended; keep Python from flushing again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except CrnnError as error:
            log.error("%s", error)
            return 1
        except OSError as error:
            log.error("%s", f"{error.filename}: {error.strerror}" if error.filename else error)
            return 1
        except ModuleNotFoundError as error:
            message = missing_module_message(error.name or "", extra)
            if message is None:
                raise  # a module of ours, or a user's: a mistake in code
            log.error("%s", message)
            return 1
        except KeyboardInterrupt:
            log.info("interrupted")
            return 130
    return code


class _StderrHandler(logging.Handler):
    """Writes to the standard error of the moment, between redraws of a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        escape = escape_line if level else escape_lines  # an error is one line
        erase_bar()
        print(f"{level}{escape(record.getMessage())}", file=sys.stderr, flush=True)


@contextmanager
def _logging_to_stderr() -> Iterator[None]:
    """While a command runs, show the toolkit's log messages of level INFO and above."""
    handler, level = _StderrHandler(), log.level
    nested = any(isinstance(other, _StderrHandler) for other in log.handlers)
    if not nested:
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def termination_signals() -> list[signal.Signals]:
    """The signals of this system that ask a command to end; ones that `nohup` ignores are not."""
    known = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]  # not on all systems
    return [n for n in known if n is not None and signal.getsignal(n) != signal.SIG_IGN]


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on a termination signal, so that every `finally` runs."""
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread
        yield
        return
    before = {n: signal.signal(n, signal.default_int_handler) for n in termination_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
