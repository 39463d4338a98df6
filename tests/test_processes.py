"""Rendering in several processes ends in an orderly way, whoever is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crnn_edge.errors import CrnnError
from model.data.workers import made_by_processes

ROOT = Path(__file__).parent.parent


def square(number: int) -> int:
    return number * number


def fails(number: int) -> int:
    if number == 3:
        raise CrnnError("no three")
    return number


def dies(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("workers", [1, 3, 9])
def test_what_is_made_comes_in_order(workers: int) -> None:
    assert list(made_by_processes(square, range(5), workers)) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize(("work", "says"), [(fails, "^no three$"), (dies, "renders died")])
def test_what_goes_wrong_in_a_process_is_told(work: Callable[[int], int], says: str) -> None:
    made = made_by_processes(work, range(6), 2)
    assert [next(made) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(CrnnError, match=says):
        next(made)


def test_processes_end_with_one_that_never_let_go_of_them() -> None:
    code = (
        "import sys; from test_processes import square; "
        "from model.data.workers import made_by_processes; "
        "made = made_by_processes(square, range(10**6), 2); next(made); sys.kept = made"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    argv = [sys.executable, "-c", code]
    subprocess.run(argv, check=True, timeout=120, env={**os.environ, "PYTHONPATH": path})


def group(number: int) -> list[str]:
    """The processes of a group, without zombies, for which nobody may have waited yet."""
    table = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True)
    rows = [line.split(maxsplit=2) for line in table.stdout.splitlines()]
    return [row[2] for row in rows if int(row[0]) == number and not row[1].startswith("Z")]


@pytest.mark.parametrize(
    ("when", "number"),
    [
        ("*", signal.SIGINT),
        ("*/labels.tsv", signal.SIGINT),
        ("*/word-0000060.jpg", signal.SIGINT),
        ("*/word-0000060.jpg", signal.SIGTERM),
    ],
)
def test_an_interrupted_command_leaves_nothing_and_no_traceback(
    when: str, number: signal.Signals, tmp_path: Path
) -> None:
    argv = [sys.executable, "-m", "model.data.synth", "--count", "100000", "--workers", "2"]
    process = subprocess.Popen(
        [*argv, "--out", str(tmp_path / "out")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(when)) and time.monotonic() < deadline:
        time.sleep(0.01)
    if when == "*/labels.tsv":
        time.sleep(0.5)  # while the processes import
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    assert "Process" not in said
    assert not list(tmp_path.iterdir())
    while group(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not group(process.pid)
