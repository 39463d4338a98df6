"""The documents are executed: every block that needs neither network nor training data."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crnn_edge import __version__
from crnn_edge.recognizer import DEFAULT_MODEL

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "examples" / "music" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "model" / "weights").glob("*.md")),
]
EXECUTED = [page for page in PAGES if page.name != "experiments.md"]  # its commands take hours
BLOCKS = [
    block
    for page in EXECUTED
    for block in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.M)
]
OUT_OF_REACH = re.compile(
    r"pip |venv |make |git |pre-commit|model\.train|model\.qat|examples\.benchmark|fetch|meters/|"
    r"meter\.(onnx|lm)|scores/|CROPS|SETS|camera\.py (0|clip)|export\.(all|onnx|tflite)|quantize\."
)
"""What needs a network, a camera, minutes, or images that the reader brings."""


def scripts() -> list[str]:
    """Python blocks that are no module of the reader's own."""
    return [text for kind, text in BLOCKS if kind == "python" and not text.startswith("# ")]


def commands() -> list[str]:
    lines = (text.replace("\\\n", "") for kind, text in BLOCKS if kind == "console")
    found = [line[2:] for text in lines for line in text.splitlines() if line.startswith("$ ")]
    return list(dict.fromkeys(command for command in found if not OUT_OF_REACH.search(command)))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder like a fresh clone, with the modules that the documents have the reader write."""
    for name in ("examples", "export", "model", "quantize", "runtime"):
        (tmp_path / name).symlink_to(ROOT / name)
    for kind, text in BLOCKS:
        if kind == "python" and text.startswith("# "):
            path = tmp_path / text.splitlines()[0].removeprefix("# ")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    script = tmp_path / ".bin" / "crnn-edge"  # what installing the package provides
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m crnn_edge "$@"\n')
    script.chmod(0o755)
    return tmp_path


def run(argv: list[str] | str, clone: Path) -> str:
    path = os.pathsep.join(
        [str(clone / ".bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    python_path = os.pathsep.join([str(clone / "runtime"), str(clone)])
    done = subprocess.run(
        argv,
        shell=isinstance(argv, str),
        cwd=clone,
        env={**os.environ, "PATH": path, "PYTHONPATH": python_path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_something_to_execute() -> None:
    assert len(scripts()) >= 2
    assert len(commands()) >= 4


@pytest.mark.parametrize("script", scripts(), ids=lambda text: text.splitlines()[-1][:30])
def test_python_blocks_run(script: str, clone: Path) -> None:
    assert run([sys.executable, "-c", script], clone)


@pytest.mark.parametrize("command", commands())
def test_console_blocks_run(command: str, clone: Path) -> None:
    run(command, clone)


OPTION = re.compile(r"(?<=\s)--[a-z][a-z0-9-]*")
MODULE = re.compile(r"^python -m ((?:model|export|quantize|examples)[\w.]+)( [a-z]+\b(?!/))?")


def other_commands() -> list[str]:
    """Commands that are too slow to run, or need data: their options must exist."""
    lines = (text.replace("\\\n", "") for kind, text in BLOCKS if kind == "console")
    found = [line[2:] for text in lines for line in text.splitlines() if line.startswith("$ ")]
    return [command for command in dict.fromkeys(found) if MODULE.match(command)]


def test_options_of_every_command_exist(clone: Path) -> None:
    asked: dict[str, set[str]] = {}
    for command in other_commands():
        match = MODULE.match(command)
        assert match
        subcommand = match[2] if match[1] == "examples.benchmark" else ""
        asked.setdefault(f"{match[1]}{subcommand or ''}", set()).update(OPTION.findall(command))
    unknown = {}
    for program, options in asked.items():
        text = run([sys.executable, "-m", *program.split(), "--help"], clone)
        if missing := {option for option in options if option not in text}:
            unknown[program] = missing
    assert not unknown


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 140


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_and_links_exist(page: Path) -> None:
    assert DEFAULT_MODEL.is_file()
    text = page.read_text("utf-8")
    paths = re.findall(r"(?<![\w/.])(?:runtime|model|examples|export|quantize)/[\w./-]+\.\w+", text)
    assert not [path for path in paths if not (ROOT / path).exists() and "/X." not in path]
    links = [link.partition("#") for link in re.findall(r"\]\((?!http)([^)\s]+)\)", text)]
    assert not [link for link, _, _ in links if not (page.parent / link).exists()]
    for link, _, anchor in links:
        target = (page.parent / link if link else page).resolve()
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{page.name}: #{anchor}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_document_cites_a_path_that_a_stranger_lacks(page: Path) -> None:
    assert "../shared" not in page.read_text("utf-8")


def test_the_version_is_the_same_everywhere() -> None:
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"crnn_edge-{__version__}-" in (ROOT / "README.md").read_text("utf-8")


def test_pre_commit_runs_what_make_lint_runs() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert recipe
    wanted = re.findall(r"\$\(PY\) -m (\w+(?: \w+)?(?: --check)?)", recipe[1])
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert re.findall(r"entry: \.venv/bin/python -m (.+)", hooks) == wanted
