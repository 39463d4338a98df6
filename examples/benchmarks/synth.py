"""Words a second of our renderer and of TextRecognitionDataGenerator (trdg 1.8.0).

Both write the same kinds of texts, with everything on that they have (trdg: its own fonts, skew,
blur, distortion, a noise background, 32 px), in as many processes each, in turns, in the same run.
trdg needs an older Pillow, so it gets an environment of its own in build/rivals/trdg; if it cannot
be installed, that is told, and ours is measured alone.

Examples:
  python examples/benchmark.py synth
  python examples/benchmark.py synth --fonts ~/fonts --processes 4 --rounds 20
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from crnn_edge.errors import EngineError
from crnn_edge.files import atomic_write
from crnn_edge.metrics import Estimate
from crnn_edge.tables import figure, interval, markdown, times
from examples.benchmarks import options as shared
from examples.benchmarks.child import Child
from examples.benchmarks.environment import environment
from examples.benchmarks.machine import conditions
from examples.benchmarks.progress import progress
from examples.benchmarks.stats import median, ratio

TRDG = ("trdg==1.8.0", "pillow<10")
_TRDG = "trdg 1.8.0"  # in the table
_TEXTS = 20_000
_PROBE = 50  # words a process; their time sets how many a round has

_Seconds = list[tuple[float, float]]
"""Of each round, the seconds a word by the clock and of one processor."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be asked."""
    add = parser.add_argument
    add(
        "--fonts",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="our fonts; repeatable (default: the system's)",
    )
    add(
        "--words",
        type=Path,
        metavar="FILE",
        help="words to render, one a line (default: the system's list, or pronounceable nonsense)",
    )
    add("--processes", type=shared.count, default=2, metavar="N", help="(default: %(default)s)")
    shared.add_rounds(parser, 12)
    add(
        "--seconds",
        type=shared.amount,
        default=1.5,
        help="about how long each has in a round (default: %(default)s)",
    )
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    try:
        python = environment("trdg", TRDG)
    except EngineError as error:
        print(f"left out: {error}", file=sys.stderr)
        python = None
    before = conditions()
    words = str(options.words.resolve()) if options.words else ""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        texts = write_texts(folder / "texts.txt", options.words)

        def several(
            program: str, *arguments: str, python: Path | str = sys.executable
        ) -> list[Child]:
            return [
                stack.enter_context(
                    Child(program, [arguments[0], str(k), *arguments[1:]], python=python)
                )
                for k in range(options.processes)
            ]

        fonts = [str(path.resolve()) for path in options.fonts]
        sides = {"ours": several("synth", words, *fonts)}
        if python:
            sides[_TRDG] = several("trdg", str(texts), python=python)
        rounds = _rounds(sides, options.rounds, options.seconds)
        faces = {name: children[0].ask("faces") for name, children in sides.items()}
    rows = []
    for name, measured in rounds.items():
        rows.append(
            [
                name,
                f"{faces[name]:,}",
                interval(median([1 / wall_s for wall_s, _ in measured])),
                figure(1e3 * median([cpu_s for _, cpu_s in measured])),
                *(times(_against(measured, rounds.get(_TRDG), k)) for k in (0, 1)),
            ]
        )
    told = f"{options.processes} processes each, {len(rounds['ours'])} rounds in turns"
    met = before.told(conditions())
    print(f"{met}; {told}\n")
    heads = ["renderer", "font faces", "words/s", "ms CPU a word", "× trdg, by the clock"]
    print(markdown([*heads, "× trdg, by CPU time"], rows))
    if options.json:
        found = {"conditions": met, "seconds_a_word_wall_and_cpu": rounds}
        atomic_write(options.json, json.dumps(found, indent=1).encode())
    return 0


def _against(measured: _Seconds, baseline: _Seconds | None, clock: int) -> Estimate | None:
    """How many times the words of another side, by the clock (0) or of one processor (1)."""
    if baseline is None:
        return None
    return ratio([1 / x[clock] for x in measured], [1 / x[clock] for x in baseline])


def write_texts(path: Path, words: Path | None) -> Path:
    """A file of texts as our side writes them, one a line: words, numbers, prices and so on."""
    import numpy as np

    from crnn_edge.charset import Charset
    from model.data.text.text_source import TextSource, read_words

    source = TextSource(read_words(words) if words else None, Charset.ascii())
    rng = np.random.default_rng(0)
    path.write_text("".join(f"{source.sample(rng)}\n" for _ in range(_TEXTS)), encoding="utf-8")
    return path


def _rounds(sides: dict[str, list[Child]], count: int, seconds: float) -> dict[str, _Seconds]:
    """Of each side and round, the seconds a word by the clock and of one processor."""
    words = {}
    for name, children in sides.items():
        _together(children, _PROBE)  # fonts and pictures get into the cache
        wall_s, _ = _together(children, _PROBE)
        words[name] = max(1, round(seconds / wall_s / len(children)))
    found: dict[str, _Seconds] = {name: [] for name in sides}
    try:
        for _ in progress(range(count), "rounds"):
            measured = {name: _together(children, words[name]) for name, children in sides.items()}
            for name, value in measured.items():
                found[name].append(value)
    except KeyboardInterrupt:
        if not found["ours"]:
            raise
        print("interrupted: the table so far", file=sys.stderr)
    return found


def _together(children: list[Child], n: int) -> tuple[float, float]:
    """Seconds a word, by the clock and of one processor, when every child makes n at once."""
    start = time.perf_counter()
    for child in children:
        child.tell("go", n)
    cpu_s = sum(child.hear() for child in children)
    wall_s = time.perf_counter() - start
    return wall_s / n / len(children), cpu_s / n / len(children)
