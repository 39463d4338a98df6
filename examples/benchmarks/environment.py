"""Separate environments for baselines, whose dependencies differ from ours."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from crnn_edge.errors import EngineError
from examples.benchmarks.child import ROOT

FOLDER = ROOT / "build" / "baselines"


def environment(name: str, requirements: Sequence[str], *, dependencies: bool = True) -> Path:
    """The interpreter of `build/baselines/NAME`, created on the first call.

    Args:
        name: Of the folder.
        requirements: Passed to pip.
        dependencies: Whether pip installs their dependencies, too.

    Raises:
        EngineError: If pip cannot install them; the message ends with pip's last line.
    """
    folder = FOLDER / name
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    wanted = hashlib.sha256(repr((requirements, dependencies)).encode()).hexdigest()
    stamp = folder / ".installed"
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing into {folder}: {' '.join(requirements)}", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    command = [str(python), "-m", "pip", "install", "--quiet", *requirements]
    done = subprocess.run(
        [*command, *([] if dependencies else ["--no-deps"])], capture_output=True, text=True
    )
    if done.returncode:
        last = (done.stderr.strip() or "pip failed").splitlines()[-1]
        raise EngineError(f"cannot install {name} ({' '.join(requirements)}): {last}")
    stamp.write_text(wanted)
    return python
