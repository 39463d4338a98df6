"""The runtime on emulated Arm boards: its tests, the example images, instructions an image.

Userlands come from Debian's archive, wheels from the package index, as configured on this machine;
they are unpacked below build/arm, kept there, and run by QEMU's user-mode emulation. Nothing needs
root, except the installation of the emulator itself:

  sudo apt-get install qemu-user gcc libc6-dev

A number of instructions is not a time: use it to compare models, and to notice growth.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from crnn_edge.cli.run import run_command
from crnn_edge.labels import LabelledFolder
from examples.benchmarks.arm import COUNTED, table
from tests.arm import instructions, models
from tests.arm.emulator import ROOT, Emulator, tail
from tests.arm.install import require_tools
from tests.arm.instructions import Entries, Entry, Key
from tests.arm.machines import BOARDS
from tests.arm.models import Model

FOLDER = ROOT / "build" / "arm"

EXAMPLES = """
examples:
  python -m tests.arm                        all boards, compared with the committed figures
  python -m tests.arm --update               the same, and commit to what was counted
  python -m tests.arm --only Cortex-A76      one processor's boards
"""


@dataclass
class Outcome:
    """The result of a board.

    Attributes:
        summary: One line of text.
        entries: Its counts.
        failures: What went wrong.
    """

    summary: str
    entries: Entries
    failures: list[str] = field(default_factory=list)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Settings from a command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.arm",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [board.name for board in BOARDS]
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help=f"boards, or processors (default: all of {', '.join(names)})",
    )
    parser.add_argument(
        "--update", action="store_true", help="write tests/arm/instructions.json from this run"
    )
    options = parser.parse_args(arguments)
    options.boards = [
        board
        for board in BOARDS
        if options.only is None or {board.name, board.processor.name} & set(options.only)
    ]
    if not options.boards:
        parser.error(f"--only {' '.join(options.only)}: no such board; there are {names}")
    if options.update and len(options.boards) < len(BOARDS):
        parser.error("--update needs all boards: leave --only out")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Install, emulate, compare.

    Returns:
        The exit code: 1 if a test failed, a limit is exceeded, or an entry grew or vanished.
    """
    options = parse(arguments)
    return run_command(lambda: _emulate(options))


def _emulate(options: argparse.Namespace) -> int:
    began = time.monotonic()
    require_tools()
    emulators = [Emulator(board, FOLDER) for board in options.boards]
    made = models.make(FOLDER / "models")
    _read_here(made)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(pool.map(lambda emulator: _try(emulator, made), emulators))
    code = _judge(outcomes, options)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return code


def _read_here(made: Sequence[Model]) -> None:
    """Record what this machine reads, to compare the boards with."""
    labels = LabelledFolder(models.EXAMPLES).texts
    for model in made:
        texts = models.write_expected(model.path)
        right = sum(a == b for a, b in zip(texts, labels, strict=True))
        print(f"here: {model.path.name} reads {right} of {len(labels)} examples as labelled")


def _try(emulator: Emulator, made: Sequence[Model]) -> Outcome:
    """Test and count on one board."""
    board = emulator.board
    chosen = [model for model in made if model.path.suffix in board.kit.engines]
    print(f"{board.name}: testing", file=sys.stderr)
    counts, code, log = emulator.test([model.path for model in chosen])
    summary = f"{board.name}: " + ", ".join(f"{n} {outcome}" for outcome, n in counts.items())
    if code or not counts.get("passed"):
        return Outcome(summary, {}, [f"{board.name}: tests failed ({log}):\n{tail(log)}"])
    print(f"{board.name}: counting", file=sys.stderr)
    versions, stages = emulator.count([model.path for model in chosen])
    entries = {}
    for model, found in zip(chosen, stages, strict=True):
        engine = board.kit.engines[model.path.suffix]
        key = Key(model.name, model.precision, engine, board.processor.name)
        entries[key] = Entry(versions[engine], found)
    return Outcome(f"{summary}; {len(chosen)} model files read the examples as here", entries)


def _judge(outcomes: Sequence[Outcome], options: argparse.Namespace) -> int:
    """Print the results; return the exit code."""
    entries = {key: entry for outcome in outcomes for key, entry in outcome.entries.items()}
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    failures += instructions.broken_promises(entries)
    print(*(outcome.summary for outcome in outcomes), sep="\n")
    if not options.update:
        run = {(b.processor.name, e) for b in options.boards for e in b.kit.engines.values()}
        committed = instructions.read(COUNTED)
        old = {key: entry for key, entry in committed.items() if (key.processor, key.engine) in run}
        verdict = instructions.compare(old, entries)
        failures += verdict.failures
        for remark in verdict.remarks:
            print(f"remark: {remark} (`--update` commits to it)", file=sys.stderr)
    print(f"\n{table(instructions.rows(entries))}")
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    if options.update and not failures:
        instructions.write(COUNTED, entries)
        print(f"wrote {COUNTED.relative_to(ROOT)}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
