"""Child processes that measure: if one crashes, the others and the table survive."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crnn_edge.errors import CrnnError

ROOT = Path(__file__).resolve().parents[2]

_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_THREAD_LIMIT")


class ChildError(CrnnError):
    """A child process died, hung, or answered with an error."""


class Child:
    """A process whose functions can be called, as a context manager.

    It leads a process group of its own, so that Ctrl-C interrupts the parent alone, and it ends
    by itself when the parent is gone, because its standard input closes.

    Args:
        program: A file in `programs/`, without its suffix, or a dotted module.
        arguments: Passed to its `start`.
        python: The interpreter, which determines the environment.
        threads: Size of the thread pools of libraries, set through environment variables.
        timeout_s: If an answer takes longer, the child counts as hanging.
    """

    def __init__(
        self,
        program: str,
        arguments: Sequence[str] = (),
        *,
        python: str | Path = sys.executable,
        threads: int = 1,
        timeout_s: float = 300.0,
    ) -> None:
        """Start the process, without waiting for it."""
        module = program if "." in program else f"examples.benchmarks.programs.{program}"
        self.name = program
        self._timeout_s = timeout_s
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [str(python), "-m", "examples.benchmarks.programs.serve", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            start_new_session=True,
            env=os.environ | dict.fromkeys(_POOLS, str(threads)) | {"PYTHONPATH": _path()},
        )
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Child:
        """The child itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def send(self, function: str, *arguments: Any) -> None:
        """Call a function without waiting for the result.

        Raises:
            ChildError: If it is dead.
        """
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps([function, *arguments]) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise ChildError(f"{self.name} {self._fate()}") from None

    def receive(self) -> Any:
        """The result of the oldest call.

        Raises:
            ChildError: If it is dead, hangs, or answers with an error.
        """
        try:
            line = self._answers.get(timeout=self._timeout_s)
        except queue.Empty:
            self._process.kill()
            raise ChildError(f"{self.name} gave no answer in {self._timeout_s:.0f} s") from None
        if not line:
            self._answers.put("")  # for the next call
            raise ChildError(f"{self.name} {self._fate()}")
        reply = json.loads(line)
        if "error" in reply:
            raise ChildError(reply["error"])
        return reply["answer"]

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call a function and wait for the result.

        Raises:
            ChildError: If it is dead, hangs, or answers with an error.
        """
        self.send(function, *arguments)
        return self.receive()

    def close(self) -> None:
        """Kill the process: it holds nothing that needs an orderly shutdown."""
        assert self._process.stdin
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._listener.join()
        self._errors.close()

    def _listen(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                self._answers.put(line)
        self._answers.put("")

    def _fate(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        last_line = self._errors.read().strip().splitlines()[-1:]
        how = (
            f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        )
        return ": ".join([how, *last_line])


def _path() -> str:
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
