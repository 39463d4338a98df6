"""Child processes that measure: if one crashes, the others and the table survive it."""

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
    """A child process that died, hung, or answered with an error."""


class Child:
    """A process that answers questions, as a context manager.

    It leads a process group of its own, so that Ctrl-C interrupts the parent alone, and it ends
    by itself when the parent is gone, because its standard input closes.

    Args:
        program: A file in `programs/`, without its suffix, or a dotted module.
        arguments: What its `start` gets.
        python: The interpreter, which decides the environment.
        threads: What libraries that keep a thread pool of their own are told to use.
        timeout_s: An answer that takes longer means that the child hangs.
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
        """Start it; that it runs shows with the first answer."""
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

    def tell(self, function: str, *arguments: Any) -> None:
        """Ask a question without waiting for the answer.

        Raises:
            ChildError: If it is dead.
        """
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps([function, *arguments]) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise ChildError(f"{self.name} {self._fate()}") from None

    def hear(self) -> Any:
        """The answer to the oldest question.

        Raises:
            ChildError: If it is dead, hangs, or answered with an error.
        """
        try:
            line = self._answers.get(timeout=self._timeout_s)
        except queue.Empty:
            self._process.kill()
            raise ChildError(f"{self.name} gave no answer in {self._timeout_s:.0f} s") from None
        if not line:
            self._answers.put("")  # whoever asks again hears the same
            raise ChildError(f"{self.name} {self._fate()}")
        reply = json.loads(line)
        if "error" in reply:
            raise ChildError(reply["error"])
        return reply["answer"]

    def ask(self, function: str, *arguments: Any) -> Any:
        """Ask a question and wait for the answer.

        Raises:
            ChildError: If it is dead, hangs, or answered with an error.
        """
        self.tell(function, *arguments)
        return self.hear()

    def close(self) -> None:
        """End the process at once: it holds nothing that is worth an orderly end."""
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
        said = self._errors.read().strip().splitlines()[-1:]
        how = (
            f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        )
        return ": ".join([how, *said])


def _path() -> str:
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
