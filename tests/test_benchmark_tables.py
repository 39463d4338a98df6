from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from benchmarking import rows, run

from crnn_edge.errors import CrnnError
from examples import benchmark
from examples.benchmarks import tables

README = """# Title
<!-- table: first --images "a folder" -->
| old |
<!-- end -->
between | stays
<!-- table: second -->
<!-- end -->
the end
"""


def parsed(command: str) -> argparse.Namespace:
    """The options that a marker with this command gives."""
    asked: list[Sequence[str]] = []
    text = f"<!-- table: {command} -->\n<!-- end -->\n"
    tables.refreshed(text, lambda arguments: f"{asked.append(arguments)}")
    return benchmark.build_parser().parse_args(asked[0])


def test_only_text_between_markers_changes() -> None:
    asked = []

    def output(command: Sequence[str]) -> str:
        asked.append(list(command))
        return f"| {command[0]} |\n"

    found = tables.refreshed(README, output)
    assert sorted(asked) == [["first", "--images", "a folder"], ["second"]]
    assert found == README.replace("| old |\n", "\n| first |\n\n").replace(
        "second -->\n", "second -->\n\n| second |\n\n"
    )
    assert tables.refreshed(found, output) == found


@pytest.mark.parametrize(
    "command",
    [
        command
        for page in tables.PAGES
        for command in re.findall(r"^<!-- table: (.+) -->$", page.read_text("utf-8"), re.MULTILINE)
    ],
)
def test_markers_name_existing_commands(command: str) -> None:
    options = parsed(command)
    assert options.run.__module__ == f"{benchmark.PACKAGE}.{command.split()[0]}"


def test_a_marker_may_name_several_models() -> None:
    files = ["runtime/crnn_edge/models/crnn-lite.onnx", "runtime/crnn_edge/models/crnn.onnx"]
    assert parsed(f"baselines --models {' '.join(files)} --images crops").models == files


def test_edits_during_the_measurement_are_kept(tmp_path, monkeypatch) -> None:
    path = tmp_path / "README.md"
    path.write_text(README)
    asked = []

    def measure(program: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(program)
        path.write_text(path.read_text().replace("the end", "an edited end"))
        return subprocess.CompletedProcess(program, 0, "| new |")

    monkeypatch.setattr(subprocess, "run", measure)
    assert benchmark.main(["tables", "--file", str(path)]) == 0
    assert len(asked) == 2
    assert path.read_text().endswith("| new |\n\n<!-- end -->\nan edited end\n")


def test_pages_without_the_tables_that_are_named_stay(tmp_path, monkeypatch, capsys) -> None:
    pages = [tmp_path / "a.md", tmp_path / "b.md"]
    for page, command in zip(pages, ("first", "second"), strict=True):
        page.write_text(f"<!-- table: {command} -->\nold\n<!-- end -->\n")
    monkeypatch.setattr(
        subprocess, "run", lambda program, **_: subprocess.CompletedProcess(program, 0, "new")
    )
    files = [str(page) for page in pages]
    assert benchmark.main(["tables", "--only", "second", "--file", *files]) == 0
    assert ["old" in page.read_text() for page in pages] == [True, False]
    assert benchmark.main(["tables", "--only", "third", "--file", *files]) == 1
    assert "no `<!-- table: third -->`" in capsys.readouterr().err


def test_tables_that_are_not_named_stay() -> None:
    found = tables.refreshed(README, lambda _: "new", ["second"])
    assert "| old |" in found
    assert "new" in found


@pytest.mark.parametrize(
    "text",
    [
        "no markers",
        "<!-- table: a -->\n",
        "<!-- end -->\n",
        "<!-- table: a -->\n<!-- table: b -->\n<!-- end -->\n",
        "<!-- table: a -->\n<!-- end -->\n<!-- end -->\n",
    ],
)
def test_unpaired_markers_are_refused(text: str) -> None:
    with pytest.raises(CrnnError):
        tables.refreshed(text, lambda _: "new")


def test_a_command_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "README.md"
    path.write_text(text := "a\n<!-- table: backends --models none.onnx -->\nold\n<!-- end -->\n")
    code, _, err = run(capsys, "tables", "--file", path)
    assert code == 1
    assert "failed" in err
    assert path.read_text() == text
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]


def test_a_file_is_refreshed_by_the_real_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "README.md"
    marker = "<!-- table: arm -->"
    path.write_text(f"before\n{marker}\n<!-- end -->\nafter\n")
    code, _, _ = run(capsys, "tables", "--file", path)
    assert code == 0
    text = path.read_text()
    assert text.startswith(f"before\n{marker}\n\n")
    assert text.endswith("\n\n<!-- end -->\nafter\n")
    assert len(rows(text)) >= 3


def test_placeholders_stand_for_folders_and_without_one_a_table_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.md"
    path.write_text(
        "<!-- table: first --images CROPS -->\nold\n<!-- end -->\n"
        "<!-- table: second --images SETS -->\nold\n<!-- end -->\n"
    )
    asked = []

    def measure(program: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(program[-3:])
        return subprocess.CompletedProcess(program, 0, "| new |")

    monkeypatch.setattr(subprocess, "run", measure)
    assert benchmark.main(["tables", "--file", str(path), "--crops", str(tmp_path)]) == 0
    assert asked == [["first", "--images", str(tmp_path.resolve())]]
    assert path.read_text().count("| new |") == 1
    assert "no SETS given" in capsys.readouterr().err
