from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from crnn_edge.cli.run import run_command
from crnn_edge.errors import ImageError

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1), (3, 3)])
def test_a_command_ends_with_what_its_work_returns(returned: int | None, code: int) -> None:
    assert run_command(lambda: returned) == code


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ImageError("it is empty"), 1, "error: it is empty\n"),
        (FileNotFoundError(2, "No such file", "a"), 1, "error: a: No such file\n"),
        (OSError("no space"), 1, "error: no space\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_what_is_refused_becomes_one_line(
    error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise error

    assert run_command(refuse) == code
    assert capsys.readouterr() == ("", told)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_to_be_ended_is_to_be_interrupted(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    number, left = getattr(signal, name), []

    def work() -> None:
        try:
            signal.raise_signal(number)
        finally:
            left.append("tidied up")

    before = signal.getsignal(number)
    assert run_command(work) == 130
    assert capsys.readouterr() == ("", "interrupted\n")
    assert left
    assert signal.getsignal(number) == before


def test_nohup_is_obeyed() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run_command(lambda: signal.raise_signal(signal.SIGHUP)) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("extra", "named"), [(None, "train"), ("export", "export")])
def test_a_missing_package_names_the_extra_that_brings_it(
    extra: str | None, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")

    assert run_command(work, extra=extra) == 1
    out, error = capsys.readouterr()
    assert (out, error.count("\n")) == ("", 1)
    assert error.startswith(f"error: torch is not installed: pip install '.[{named}]'")


def test_a_missing_module_of_ours_is_a_mistake() -> None:
    def work() -> None:
        raise ModuleNotFoundError("No module named 'model.nothing'", name="model.nothing")

    with pytest.raises(ModuleNotFoundError):
        run_command(work)


def test_log_messages_reach_standard_error_once(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        logging.getLogger("crnn_edge").info("a remark")
        logging.getLogger("crnn_edge").warning("a fault")

    assert run_command(lambda: run_command(work)) == 0
    assert capsys.readouterr() == ("", "a remark\nwarning: a fault\n")


def test_a_command_may_be_run_by_a_thread() -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(run_command(lambda: 3)))
    thread.start()
    thread.join()
    assert codes == [3]


def test_any_character_can_be_told_wherever_the_output_goes() -> None:
    program = "import sys; from crnn_edge.cli.run import run_command\n"
    program += "run_command(lambda: print('Δ', file=sys.stderr) or print('Δ'))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert (done.stdout.decode(), done.stderr.decode()) == ("Δ" + os.linesep,) * 2


def test_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 // 0)


def test_closed_output_is_told_before_any_work() -> None:
    program = "import sys; from crnn_edge.cli.run import run_command\n"
    program += "sys.exit(run_command(lambda: print(1, file=sys.stderr)))"
    command = ["bash", "-c", '"$0" -c "$1" >&-', sys.executable, program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output is closed")
    assert done.stderr.count("\n") == 1


def test_a_reader_who_has_gone_is_no_error() -> None:
    program = "import sys; from crnn_edge.cli.run import run_command\n"
    program += "sys.exit(run_command(lambda: print('a line\\n' * 100_000)))"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "a line\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_errors_do_not_land_among_the_results() -> None:
    program = "import sys; from crnn_edge.cli.run import run_command\n"
    program += "sys.exit(run_command(lambda: print('result') or open('/none/at/all')))"
    command = ["bash", "-c", '"$0" -c "$1" 2>&-', sys.executable, program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "result\n")
