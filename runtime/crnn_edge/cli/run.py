"""How every command of the toolkit ends."""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crnn_edge.errors import CrnnError


def documented_parser(documentation: str | None) -> argparse.ArgumentParser:
    """A parser whose help is a module's docstring: its first paragraph, then the examples."""
    about, _, examples = (documentation or "").partition("\n\n")
    return argparse.ArgumentParser(
        description=about,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def commands_need(extra: str, *modules: str) -> None:
    """Refuse to run a package's command where what the package imports is not installed.

    To be called as the package is imported. Where that is no part of `python -m`, it does nothing:
    who imports a package learns from Python what is missing.

    Args:
        extra: What brings the modules.
        *modules: Top-level names.
    """
    if sys.argv[0] == "-m":  # Python's sign that it still looks for the module to run
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        if missing:
            sys.exit(
                f"error: not installed: {', '.join(missing)}; `pip install 'crnn-edge[{extra}]'` "
                f"(in a clone of the repository: `pip install '.[{extra}]'`)"
            )


def run_command(work: Callable[[], int | None]) -> int:
    """Do a command's work; what is refused becomes a message, not a traceback.

    SIGTERM ends it as Ctrl-C does, and so does a terminal that closes: nothing half-made is left.

    Returns:
        What `work` returns, 0 for nothing; 1 after `error: …` on standard error, such as where
        standard output is closed, or if whoever read the output has gone; 130 if it was
        interrupted.
    """
    if sys.stderr is None:  # closed; what is printed to nothing goes to standard output
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # any charset, any file name, on any system
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    if sys.stdout is None:  # closed, as by `>&-`
        print(
            "error: standard output is closed: send it to a file, or to /dev/null", file=sys.stderr
        )
        return 1
    try:
        with _ended_as_interrupted():
            code = work() or 0
        sys.stdout.flush()
    except BrokenPipeError:  # `… | head` has seen enough; keep Python from flushing again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except CrnnError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        told = f"{error.filename}: {error.strerror}" if error.filename else error
        print(f"error: {told}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return code


def endings() -> list[signal.Signals]:
    """The signals that ask a command to end, here; what `nohup` ignores stays ignored."""
    known = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]  # not on all systems
    return [n for n in known if n is not None and signal.getsignal(n) != signal.SIG_IGN]


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """Let what asks a command to end do so as Ctrl-C does, through every `finally`."""
    if threading.current_thread() is not threading.main_thread():  # others cannot be told
        yield
        return
    before = {number: signal.signal(number, signal.default_int_handler) for number in endings()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
