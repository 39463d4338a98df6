"""ONNX Runtime records and sends nothing unless the user asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

READ = """
import os, time
import numpy as np
from crnn_edge import Recognizer

Recognizer.load("crnn-lite")(np.full((32, 100), 255, np.uint8))
time.sleep(2)  # the engine writes and sends in a thread of its own
print(os.environ["ORT_DISABLE_TELEMETRY"])
links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
print([os.readlink(link) for link in links if os.path.islink(link)])
"""


def read_in(home: Path, **variables: str) -> list[str]:
    """Read in a child whose home folder is `home`; the lines that it prints."""
    inherited = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    folders = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "TMPDIR": str(home)}
    child = subprocess.run(
        [sys.executable, "-B", "-c", READ],
        env=inherited | folders | variables,
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    assert child.stderr == ""
    return child.stdout.splitlines()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_a_read_opens_no_socket_and_writes_no_file(tmp_path: Path) -> None:
    variable, descriptors = read_in(tmp_path)
    assert variable == "1"
    assert "socket:" not in descriptors
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_a_value_of_the_user_stays(tmp_path: Path) -> None:
    assert read_in(tmp_path, ORT_DISABLE_TELEMETRY="true")[0] == "true"
