"""Regenerate the tables of docs/benchmarks.md, each by the command in its marker.

The text between `<!-- table: backends --images crops -->` and `<!-- end -->` is the output of
`python -m examples.benchmark backends --images crops`. Nothing else of the file changes; if a
command fails, the file stays as it is. `CROPS` and `SETS` in a marker stand for folders that the
project does not contain: --crops and --sets pass yours, and tables that need a folder that is not
given are left as they are.

Examples:
  python -m examples.benchmark tables --crops ~/crops --sets ~/sets/*/dev
  python -m examples.benchmark tables --only arm
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from crnn_edge.errors import CrnnError
from crnn_edge.files import atomic_write
from examples.benchmarks.child import ROOT

PAGES = [ROOT / "docs" / "benchmarks.md"]

_END = "<!-- end -->"
_BLOCK = re.compile(
    r"(?P<marker>^<!-- table: (?P<command>[^\n]+?) -->\n)(?P<table>.*?)^<!-- end -->$",
    flags=re.MULTILINE | re.DOTALL,
)
_MARKER = re.compile(r"^<!-- (?:table: .*|end) -->$", flags=re.MULTILINE)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--file", type=Path, nargs="+", default=PAGES, help="(default: docs/benchmarks.md)")
    add("--only", nargs="+", metavar="BENCHMARK", help="these tables (default: all)")
    add("--crops", type=Path, metavar="DIR", help="what CROPS stands for: labelled scene words")
    add("--sets", type=Path, nargs="+", metavar="DIR", help="what SETS stands for")


def run(options: argparse.Namespace) -> int:
    """Measure and replace, page by page."""
    folders = {"CROPS": [options.crops] if options.crops else [], "SETS": options.sets or []}
    with_tables = [page for page in options.file if _chosen(_text(page), options.only)]
    for page in with_tables or options.file:  # if none has tables, the first one reports it
        _refresh(page, options.only, folders)
    return 0


def _refresh(page: Path, only: Sequence[str] | None, folders: dict[str, list[Path]]) -> None:
    @cache
    def measured(*command: str) -> str | None:
        arguments: list[str] = []
        for word in command:
            if word in folders and not folders[word]:
                print(f"left as it is: {shlex.join(command)}: no {word} given", file=sys.stderr)
                return None
            arguments += [str(path.resolve()) for path in folders.get(word, [])] or [word]
        print(f"python -m examples.benchmark {shlex.join(command)}", file=sys.stderr)
        program = [sys.executable, "-m", "examples.benchmark", *arguments]
        done = subprocess.run(program, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise CrnnError(f"{shlex.join(command)} failed: {page} stays as it is")
        return done.stdout

    def now() -> str:
        return refreshed(_text(page), lambda command: measured(*command), only)

    now()
    # Read again: somebody may have edited it while the tables were measured.
    atomic_write(page, now().encode())


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _chosen(text: str, only: Sequence[str] | None) -> list[re.Match[str]]:
    """The tables of a text that are to be replaced."""
    blocks = _BLOCK.finditer(text)
    return [b for b in blocks if only is None or shlex.split(b["command"])[0] in only]


def refreshed(
    text: str, output: Callable[[Sequence[str]], str | None], only: Sequence[str] | None = None
) -> str:
    """A text with its tables replaced.

    Args:
        text: Markdown.
        output: What a command line prints; None to keep the table.
        only: Names of the benchmarks whose tables are replaced; None for all.

    Raises:
        CrnnError: If markers and ends do not pair, or there is nothing to replace.
    """
    blocks = list(_BLOCK.finditer(text))
    if len(_MARKER.findall(text)) != 2 * len(blocks) or any(
        _MARKER.search(block["table"]) for block in blocks
    ):
        raise CrnnError(f"each `<!-- table: … -->` needs one `{_END}` after it, and the reverse")
    chosen = _chosen(text, only)
    if not chosen:
        raise CrnnError(f"no `<!-- table: {'|'.join(only or ['…'])} -->` to refresh")
    for block in reversed(chosen):  # backwards, so that the positions of the others stay true
        content = output(shlex.split(block["command"]))
        if content is None:
            continue
        table = f"{block['marker']}\n{content.strip()}\n\n{_END}"
        text = text[: block.start()] + table + text[block.end() :]
    return text
