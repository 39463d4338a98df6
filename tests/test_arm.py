"""What `make test-arm64` decides with: counts, the gate, what is committed. Nothing is emulated."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crnn_edge.errors import CrnnError
from examples import benchmark
from examples.benchmarks.arm import COUNTED, load, table
from tests.arm import install, instructions, machines
from tests.arm.__main__ import main
from tests.arm.device import STAGES
from tests.arm.emulator import cpuinfo
from tests.arm.instructions import Entry, Key

KEY = Key("crnn", "fp32", "onnxruntime", "Cortex-A76")
INT8 = Key("crnn", "int8", "onnxruntime", "Cortex-A76")


def entry(network: float, version: str = "1.0") -> Entry:
    return Entry(version, {"preprocess": 1.0, "network": network, "decode": 0.5})


def test_marks_become_millions_of_instructions_a_run() -> None:
    marks = [100, 4_000_100, 5_000_000, 13_000_000, 13_000_001, 13_400_001]
    assert (
        list(instructions.stages([*marks, *(m + 10**8 for m in marks)], runs=4))
        == [{"preprocess": 1.0, "network": 2.0, "decode": 0.1}] * 2
    )


@pytest.mark.parametrize("marks", [[], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 5], [1, 2, 3, 9, 5, 6]])
def test_marks_that_cannot_be_are_refused(marks: list[int]) -> None:
    with pytest.raises(CrnnError, match="expected 6 growing marks"):
        list(instructions.stages(marks, runs=4))


def test_an_entry_may_grow_by_5_percent_and_no_more() -> None:
    assert instructions.compare({KEY: entry(100)}, {KEY: entry(104.9)}).failures == []
    (failure,) = instructions.compare({KEY: entry(100)}, {KEY: entry(105.1)}).failures
    assert failure == "crnn fp32, onnxruntime, Cortex-A76, network: 100 → 105.1 M (+5.1 %)"


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_guarded(stage: str) -> None:
    grown = {**entry(100).stages, stage: entry(100).stages[stage] * 1.06}
    (failure,) = instructions.compare({KEY: entry(100)}, {KEY: Entry("1.0", grown)}).failures
    assert stage in failure


def test_an_entry_that_shrank_is_a_remark() -> None:
    verdict = instructions.compare({KEY: entry(100)}, {KEY: entry(90)})
    assert verdict.failures == []
    assert "100 → 90 M (-10.0 %)" in verdict.remarks[0]


def test_a_vanished_entry_fails_and_a_new_one_is_a_remark() -> None:
    verdict = instructions.compare({KEY: entry(1)}, {INT8: entry(1)})
    assert verdict.failures == [f"{KEY}: vanished"]
    assert verdict.remarks == [f"{INT8}: new, compared with nothing"]


def test_int8_keeps_its_promise_or_is_named() -> None:
    assert instructions.broken_promises({KEY: entry(100), INT8: entry(39)}) == []
    (broken,) = instructions.broken_promises({KEY: entry(100), INT8: entry(41)})
    assert broken.startswith("crnn, onnxruntime, Cortex-A76: INT8 costs 0.41 of FP32")


def test_figures_survive_a_file(tmp_path: Path) -> None:
    entries = {KEY: entry(100.125), INT8: entry(30)}
    instructions.write(tmp_path / "x.json", entries)
    assert instructions.read(tmp_path / "x.json") == entries
    assert len((tmp_path / "x.json").read_text().splitlines()) == 7  # a row a line


@pytest.mark.parametrize("text", [None, "{", '{"format": 0}', "[]", '{"format": 1}'])
def test_a_file_of_another_format_is_refused_with_the_command_that_writes_it(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CrnnError, match=r"cannot read .*x\.json.*--update"):
        load(path)


def test_the_table_puts_processors_in_columns_and_int8_beside_fp32() -> None:
    other = Key("crnn", "fp32", "numpy", "Cortex-A7")
    entries = {KEY: entry(200), INT8: entry(50), other: entry(7, "2.0")}
    text = table(instructions.rows(entries))
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    assert lines[0][3:5] == ["Cortex-A7", "Cortex-A76"]
    assert lines[2] == ["crnn", "numpy", "fp32", "7.00", "–", "–", "–"]
    assert lines[4] == ["crnn", "onnxruntime", "int8", "–", "50.0", "–", "0.25×"]
    assert lines[5][:5] == ["any: preprocess", "–", "–", "1.00", "1.00"]
    assert "numpy 2.0; onnxruntime 1.0" in text


def test_committed_counts_cover_every_board_engine_and_precision() -> None:
    committed = instructions.read(COUNTED)
    engines = {(b.processor.name, e) for b in machines.BOARDS for e in b.kit.engines.values()}
    assert {(k.processor, k.engine, k.precision) for k in committed} == {
        (*pair, precision) for pair in engines for precision in ("fp32", "int8")
    }


def test_committed_counts_keep_the_limit() -> None:
    assert instructions.broken_promises(instructions.read(COUNTED)) == []


def test_the_documented_command_prints_the_committed_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert benchmark.main(["arm"]) == 0
    assert capsys.readouterr().out.strip() == table(load(COUNTED))


def test_every_file_of_tests_that_a_board_runs_exists() -> None:
    folder = Path(__file__).parent
    names = {name for board in machines.BOARDS for name in board.kit.tests}
    assert names
    assert not [name for name in names if not (folder / f"test_{name}.py").is_file()]


def test_a_board_describes_its_own_processor() -> None:
    text = cpuinfo(machines.A76, 8)
    assert text.count("CPU part\t: 0xd0b\n") == 4
    assert "asimddp" in text
    assert "asimddp" not in cpuinfo(machines.A72, 8)


def test_a_folder_is_made_once_a_recipe_and_never_incomplete(tmp_path: Path) -> None:
    made = []

    def make(folder: Path) -> None:
        (folder / "x").write_text("x")
        made.append(folder)
        if len(made) == 3:
            raise OSError("no space")

    for recipe in ("a", "a", "b"):
        install.kept(tmp_path / "land", recipe, make)
    assert len(made) == 2
    with pytest.raises(OSError, match="no space"):
        install.kept(tmp_path / "land", "c", make)
    assert (tmp_path / "land" / "recipe.txt").read_text() == "b"
    assert [path.name for path in tmp_path.iterdir()] == ["land"]


def test_missing_tools_are_named_with_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install.shutil, "which", lambda command: None)
    monkeypatch.setattr(install.os, "geteuid", lambda: 1000)
    assert main([]) == 1
    assert re.search(r"sudo apt-get install .*\bgcc .*\bqemu-user\b", capsys.readouterr().err)


def test_an_unknown_board_or_half_an_update_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--only", "Cortex-A"], ["--only", "Cortex-A7", "--update"]):
        with pytest.raises(SystemExit):
            main(arguments)
    assert "leave --only out" in capsys.readouterr().err


def test_the_mark_is_the_one_that_the_counter_waits_for() -> None:
    folder = Path(__file__).parent / "arm"
    marks = [
        re.search(r"MARK = (0x\w+)", (folder / name).read_text(), flags=re.IGNORECASE)
        for name in ("icount.c", "device.py")
    ]
    assert all(marks)
    assert len({int(mark[1], 16) for mark in marks if mark}) == 1
