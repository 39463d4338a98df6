"""An emulated board: a command that is its Python, and how to count what that runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.arm import install
from tests.arm.device import RUNS
from tests.arm.install import SetupError
from tests.arm.instructions import stages
from tests.arm.machines import PYTHON, Board, Processor

ROOT = Path(__file__).resolve().parents[2]

_CORES = 4
_TIMELESS = "not bench and not about_a_second"  # tests whose names say that they time something


class Emulator:
    """A board that runs Python programs; its constructor installs everything.

    Args:
        board: The board.
        folder: Where userlands and wheels are kept.

    Attributes:
        board: The board.
    """

    def __init__(self, board: Board, folder: Path) -> None:
        """Install what is missing."""
        kit = board.kit
        self.board = board
        self._folder = folder
        self._land = install.userland(kit.userland, folder)
        self._site = install.wheels(kit, folder, ROOT / "constraints.txt")
        self._root = folder / f"root-{board.name}"
        _describe(board, self._root, self._land)
        self._plugin = _plugin(kit.userland.architecture.qemu, folder)
        # A test that starts `sys.executable` must start the emulator, too.
        self._python = folder / f"python-{board.name}"
        self._python.write_text(f'#!/bin/sh\nexec {" ".join(self._command())} "$@"\n')
        self._python.chmod(0o755)

    def _command(self, *options: str) -> list[str]:
        board = self.board
        emulator, cpu = board.kit.userland.architecture.qemu, board.processor.cpu
        qemu = [emulator, "-cpu", cpu, "-L", str(self._root)]
        return [*qemu, *options, str(self._land / "usr" / "bin" / f"python{PYTHON}")]

    def test(self, models: Sequence[Path]) -> tuple[dict[str, int], int, Path]:
        """Run the project's tests that suit the board, on model files too.

        Returns:
            How many passed, failed and were skipped; pytest's exit code; the log.
        """
        kit = self.board.kit
        files = [f"tests/test_{name}.py" for name in kit.tests]
        chosen = ["test", "-q", "--durations=12", "-m", kit.marked, "-k", _TIMELESS]
        arguments = [*chosen, "tests/arm/on_device.py", *files]
        env = {"CRNN_MODELS": ":".join(map(str, models))}
        log = self._folder / f"test-{self.board.name}.log"
        code, result = self._run([str(self._python)], arguments, log, env)
        return result or {}, code, log

    def count(self, models: Sequence[Path]) -> tuple[dict[str, str], list[dict[str, float]]]:
        """Millions of instructions an image, by model and stage, and the versions of engines.

        Raises:
            SetupError: If the program fails.
        """
        engines = self.board.kit.engines.values()
        log = self._folder / f"count-{self.board.name}.log"
        marks = log.with_suffix(".marks")
        command = self._command("-plugin", f"{self._plugin},out={marks}")
        arguments: list[str | Path] = ["count", "--engines", *engines, "--models", *models]
        code, versions = self._run(command, arguments, log, {})
        if code or versions is None:
            raise SetupError(f"counting on {self.board.name} failed:\n{tail(log)}")
        numbers = [int(line) for line in marks.read_text().split()]
        return versions, list(stages(numbers, RUNS))

    def _run(
        self,
        command: Sequence[str],
        arguments: Sequence[str | Path],
        log: Path,
        env: Mapping[str, str],
    ) -> tuple[int, dict[str, Any] | None]:
        """Run `device.py`; returns its exit code, and its result if there is one."""
        result = log.with_suffix(".json")
        result.unlink(missing_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": f"{self._site}:{ROOT / 'runtime'}:{ROOT}",
            # Compiled once, not by every process that a test starts; and not beside the sources.
            "PYTHONPYCACHEPREFIX": str(self._folder / "bytecode"),
            "PYTHONHASHSEED": "0",  # else counts would differ from run to run
            "CRNN_PYTHON": str(self._python),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            **env,
        }
        with log.open("w") as out:
            done = subprocess.run(
                [*command, ROOT / "tests" / "arm" / "device.py", result, *arguments],
                cwd=ROOT,
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
            )
        found = json.loads(result.read_text()) if result.exists() else None
        return done.returncode, found


def tail(log: Path, lines: int = 30) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _describe(board: Board, root: Path, land: Path) -> None:
    """The root folder of a board: its userland, and where libraries look for the processor.

    Left to the host's own files, ONNX Runtime and LiteRT find an x86 there and crash.
    """
    (root / "proc").mkdir(parents=True, exist_ok=True)
    (root / "proc" / "cpuinfo").write_text(
        cpuinfo(board.processor, board.kit.userland.architecture.version)
    )
    cpus = root / "sys" / "devices" / "system" / "cpu"
    for core in range(_CORES):
        (cpus / f"cpu{core}").mkdir(parents=True, exist_ok=True)
    for name in ("possible", "present", "online"):
        (cpus / name).write_text(f"0-{_CORES - 1}\n")
    (cpus / "kernel_max").write_text("0\n")
    for name in ("usr", "lib", "etc"):
        link = root / name
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(land / name, root))


def cpuinfo(processor: Processor, version: int) -> str:
    """The `/proc/cpuinfo` of a board."""
    facts = {
        "BogoMIPS": "108.00",
        "Features": processor.features,
        "CPU implementer": "0x41",
        "CPU architecture": str(version),
        "CPU variant": "0x0",
        "CPU part": f"{processor.part:#x}",
        "CPU revision": "3",
    }
    lines = "".join(f"{name}\t: {value}\n" for name, value in facts.items())
    return "".join(f"processor\t: {core}\n{lines}\n" for core in range(_CORES))


def _plugin(qemu: str, folder: Path) -> Path:
    """The instruction counter, compiled for the installed emulator."""
    version_text = install.run([qemu, "--version"])
    found = re.search(r"version (\d+)", version_text)
    if found is None:
        raise SetupError(f"no version in the output of `{qemu} --version`: {version_text[:200]}")
    version = 1 if int(found[1]) < 9 else 2
    library, source = folder / f"icount-{version}.so", Path(__file__).with_name("icount.c")
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        flags = ["-shared", "-fPIC", "-O2", f"-DAPI_VERSION={version}"]
        partial = library.with_suffix(f".{os.getpid()}")
        install.run(["cc", *flags, "-o", partial, source])
        partial.replace(library)
    return library
