"""The READMEs are executed: every block that needs neither network nor training data."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crnn_edge.recognizer import DEFAULT_MODEL

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / page / "README.md" for page in (".", "examples/music", "examples/benchmarks")]
BLOCKS = [
    block
    for page in PAGES
    for block in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.M)
]
OUT_OF_REACH = re.compile(
    r"pip install|make |model\.train|meters/|meter\.onnx|scores/|camera\.py (0|clip)"
)
"""What needs a network, a camera, minutes, or pictures that a reader brings."""


def scripts() -> list[str]:
    """Python blocks that are no module of the reader's own."""
    return [text for kind, text in BLOCKS if kind == "python" and not text.startswith("# ")]


def commands() -> list[str]:
    lines = (text.replace("\\\n", "") for kind, text in BLOCKS if kind == "console")
    found = [line[2:] for text in lines for line in text.splitlines() if line.startswith("$ ")]
    return [command for command in found if not OUT_OF_REACH.search(command)]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder like a fresh clone, with the modules that the README has its reader write."""
    for name in ("examples", "export", "model", "quantize", "runtime"):
        (tmp_path / name).symlink_to(ROOT / name)
    for kind, text in BLOCKS:
        if kind == "python" and text.startswith("# "):
            path = tmp_path / text.splitlines()[0].removeprefix("# ")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    return tmp_path


def run(argv: list[str] | str, clone: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        argv,
        shell=isinstance(argv, str),
        cwd=clone,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(clone)},
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
    assert run(command, clone)


def test_paths_that_the_readme_names_exist() -> None:
    assert DEFAULT_MODEL.is_file()
    for page in PAGES:
        text = page.read_text("utf-8")
        paths = re.findall(r"(?:runtime|model|examples|export|quantize)/[\w./-]+\.\w+", text)
        links = re.findall(r"\]\((?!http|#)([^)]+)\)", text)
        assert paths or links
        assert not [path for path in paths if not (ROOT / path).exists() and "X.py" not in path]
        assert not [link for link in links if not (page.parent / link).exists()]
