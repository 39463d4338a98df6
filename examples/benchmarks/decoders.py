r"""CTC decoders: ours, fast-ctc-decode (Rust) and pyctcdecode, on the same log-probabilities.

The log-probabilities are those of a model on real crops, and noise for the worst case. Each library
is a process with one thread; they are measured in interleaved runs, image by image and in batches
of 64. Times are processor time; ratios are medians over the rounds. The beam size is 10. "agrees"
is the share of those texts found by a decoder that exact search proves to be the most probable
ones; `lm`, with the bundled language model, has another objective. The other libraries are
installed in build/baselines/ctc.

Examples:
  python -m examples.benchmark decoders --images CROPS --words words.txt
  python -m examples.benchmark decoders --images CROPS --max 200
  python -m examples.benchmark decoders --images CROPS \
      --model run/best.safetensors=model.network.backend
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from crnn_edge.charset import Charset
from crnn_edge.decoders import lm
from crnn_edge.decoders.ctc import log_softmax
from crnn_edge.errors import CharsetError, DecodeError, EngineError
from crnn_edge.files import atomic_write
from crnn_edge.images import read_image
from crnn_edge.labels import LabelledFolder
from crnn_edge.recognizer import DEFAULT_MODEL, Recognizer
from crnn_edge.tables import figure, markdown, times
from crnn_edge.types import FloatArray
from examples.benchmarks import options as shared
from examples.benchmarks.child import Child
from examples.benchmarks.environment import environment
from examples.benchmarks.machine import conditions
from examples.benchmarks.models import file_and_backend
from examples.benchmarks.programs.decoders import NOT_OPTIMAL, RESCORED
from examples.benchmarks.progress import progress
from examples.benchmarks.stats import as_list, from_list, ratio

LIBRARIES = ("fast-ctc-decode==0.3.7", "pyctcdecode==0.5.0")
BATCHES = (1, 64)
_DECODERS = [
    ("greedy", "ours"),
    ("greedy", "fast_ctc_decode"),
    ("beam", "ours"),
    ("beam", "fast_ctc_decode, cut 0.01"),
    ("beam", "fast_ctc_decode"),
    ("beam", "pyctcdecode"),
    ("prefix_search", "ours"),
    ("lm", "ours"),
]
_NOISE = "noise"
_NOISE_ROUNDS = 6  # it takes long
_FEW = 8  # images a round where every word is scored
_LEXICONS = (50, 1000, sys.maxsize)

Round = tuple[str, int, int]
"""What a round decodes: the array's name, the first image, and the one after the last."""

Measured = dict[Any, list[dict[str, Any]]]
"""Texts and seconds of each round, by decoder, library and batch size."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    shared.add_images(parser)
    add(
        "--model",
        default=str(DEFAULT_MODEL),
        metavar="FILE[=BACKEND]",
        help="the model whose log-probabilities are decoded (default: crnn-lite)",
    )
    add("--words", type=Path, metavar="FILE", help="a word list: time the lexicon decoder with "
        "50, 1,000 and all of its words")  # fmt: skip
    add("--max", type=shared.count, metavar="N", help="images (default: all)")
    add(
        "--rescored",
        type=shared.count,
        default=100,
        metavar="N",
        help="images for which every word of a lexicon is scored, to compare (default: "
        "%(default)s; slow)",
    )
    shared.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    before = conditions()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        arrays, charset = compute_log_probs(options)
        np.savez(folder / "log_probs.npz", allow_pickle=False, **arrays)
        lexicons = write_lexicons(folder, options.words, charset)
        given = [str(folder / "log_probs.npz"), json.dumps(charset.tokens), str(folder)]
        children = {"ours": stack.enter_context(Child("decoders", ["ours", *given]))}
        try:
            python = environment("ctc", LIBRARIES)
        except EngineError as error:
            print(f"left out: {error}", file=sys.stderr)
        else:
            for name in sorted({library for _, library in _DECODERS} - {"ours"}):
                child = Child("decoders", [name, *given], python=python)
                children[name] = stack.enter_context(child)
        noise = arrays.pop(_NOISE)
        size = BATCHES[-1]
        rounds = [
            (name, first, min(first + size, len(rows)))
            for name, rows in arrays.items()
            for first in range(0, len(rows), size)
        ]
        few = [(_NOISE, first, first + size) for first in range(0, len(noise), size)]
        pairs = [pair for pair in _DECODERS if pair[0] != "lm" or has_lm(charset)]
        crops = measure(children, pairs, rounds)
        noisy = measure(children, [pair for pair in _DECODERS if pair[0] == "beam"], few)
        words = measure(children, [(name, "ours") for name in lexicons], rounds, batches=(1,))
        exact = texts(measure(children, [("optimal", "ours")], rounds, batches=(1,)))
        checked = rounds[:: max(1, len(rounds) * _FEW // max(1, options.rescored))]
        checked = [(name, first, min(first + _FEW, last)) for name, first, last in checked]
        wanted = [(f"{name}{end}", "ours") for name in lexicons for end in ("", RESCORED)]
        same = measure(children, wanted, checked, batches=(1,))
    found = {
        "conditions": before.describe(conditions()),
        "images": sum(map(len, arrays.values())),
        "steps": [min(map(int, arrays)), max(map(int, arrays))],
        "optimal": sum(text != NOT_OPTIMAL for text in exact) / max(1, len(exact)),
        "crops": rows_of(crops, exact),
        "noise": rows_of(noisy, []),
        "lexicons": lexicon_rows(words, same),
    }
    print(report(found))
    if options.json:
        atomic_write(options.json, json.dumps(found, indent=1).encode())
    return 0


def compute_log_probs(options: argparse.Namespace) -> tuple[dict[str, FloatArray], Charset]:
    """Log-probabilities `(N, T, C)` of the images, by T as text, and of noise."""
    model, backend = file_and_backend(options.model, "--model")
    recognizer = Recognizer.load(model, backend=backend or None)
    paths = LabelledFolder(options.images).paths[: options.max]
    by_steps = defaultdict(list)
    for rows in recognizer.log_probs([read_image(path) for path in paths]):
        by_steps[f"{len(rows)}"].append(rows)
    arrays = {name: np.stack(rows) for name, rows in sorted(by_steps.items())}
    charset = recognizer.manifest.charset
    noise = np.random.default_rng(0).normal(
        size=(_NOISE_ROUNDS * BATCHES[-1], 64, charset.num_classes)
    )
    return {**arrays, _NOISE: log_softmax(noise.astype(np.float32))}, charset


def write_lexicons(folder: Path, words: Path | None, charset: Charset) -> list[str]:
    """Write lists of 50, 1,000 and all of the words into a folder; return their names.

    Raises:
        CrnnError: If the words cannot be read, or none is in the charset.
    """
    if words is None:
        print("left out: the lexicon decoder, which needs --words", file=sys.stderr)
        return []
    from model.data.text.text_source import read_words

    known = [word for word in read_words(words) if word in charset]
    if not known:
        raise CharsetError(f"--words {words}: the model's charset contains no word of it")
    drawn = np.random.default_rng(0).permutation(len(known))
    names = []
    for count in sorted({min(count, len(known)) for count in _LEXICONS}):
        names.append(f"{count:,} words")
        chosen = "\n".join(known[i] for i in drawn[:count])
        (folder / f"{names[-1]}.txt").write_text(chosen, encoding="utf-8")
    return names


def has_lm(charset: Charset) -> bool:
    """Whether the bundled language model covers the charset."""
    try:
        lm.Decoder(charset)
    except DecodeError as error:
        print(f"left out: the decoder lm: {error}", file=sys.stderr)
        return False
    return True


def measure(
    children: dict[str, Child],
    pairs: Sequence[tuple[str, str]],
    rounds: Sequence[Round],
    batches: Sequence[int] = BATCHES,
) -> Measured:
    """The results of each decoder of each library in each round, by decoder, library and batch."""
    keys = [(*pair, batch) for pair in pairs for batch in batches if pair[1] in children]
    found: Measured = {key: [] for key in keys}
    for number, content in enumerate(progress(rounds if keys else [], "rounds")):
        first = number % len(keys)
        for decoder, library, batch in (*keys[first:], *keys[:first]):
            answer = children[library].ask("read", decoder, *content, batch)
            found[decoder, library, batch].append(answer)
    return found


def texts(measured: Measured) -> list[str]:
    """All texts of a single decoder."""
    return [
        text for answers in measured.values() for content in answers for text in content["texts"]
    ]


def rows_of(measured: Measured, exact: list[str]) -> list[dict[str, Any]]:
    """A row for each decoder and library."""
    rows = []
    for decoder, library in dict.fromkeys((key[0], key[1]) for key in measured):
        row: dict[str, Any] = {"decoder": decoder, "library": library}
        for batch in BATCHES:
            answers = measured[decoder, library, batch]
            read = [text for content in answers for text in content["texts"]]
            spent_s = [sum(content["cpu_s"]) for content in answers]
            ours_s = [sum(content["cpu_s"]) for content in measured[decoder, "ours", batch]]
            row[f"us_{batch}"] = 1e6 * sum(spent_s) / len(read)
            row[f"times_ours_{batch}"] = as_list(ratio(spent_s, ours_s))
            pairs = [(a, b) for a, b in zip(read, exact, strict=False) if b != NOT_OPTIMAL]
            comparable = pairs and decoder != "lm"
            row["agrees"] = sum(a == b for a, b in pairs) / len(pairs) if comparable else None
        rows.append(row)
    return rows


def lexicon_rows(words: Measured, same: Measured) -> list[dict[str, Any]]:
    """A row for each lexicon."""
    rows = []
    for name, library, batch in words:
        spent_ms = [1e3 * s for content in words[name, library, batch] for s in content["cpu_s"]]
        found, wanted = (texts({(): same[name + end, library, batch]}) for end in ("", RESCORED))
        equal = sum(a.casefold() == b.casefold() for a, b in zip(found, wanted, strict=True))
        quantiles = np.percentile(spent_ms, (50, 95, 99)).tolist()
        row = {"lexicon": name, "mean_ms": float(np.mean(spent_ms)), "quantiles_ms": quantiles}
        rows.append(row | {"same": equal, "of": len(found)})
    return rows


def report(found: dict[str, Any]) -> str:
    """The results as text."""
    shortest, longest = found["steps"]
    parts = [
        f"{found['conditions']}; {found['images']} images, {shortest} to {longest} time steps; "
        f"exact search proves {100 * found['optimal']:.1f} % of the texts"
    ]
    for kind, title in (("crops", "real crops"), ("noise", "noise, 64 time steps")):
        heads = [title + " / library", *(f"µs a text, {b} at once" for b in BATCHES), "texts/s"]
        heads += [*(f"× ours, {b} at once" for b in BATCHES), "agrees %"]
        rows = [
            [
                f"{row['decoder']}: {row['library']}",
                *(figure(row[f"us_{batch}"]) for batch in BATCHES),
                figure(1e6 / row[f"us_{BATCHES[-1]}"]),
                *(times(from_list(row[f"times_ours_{batch}"])) for batch in BATCHES),
                "–" if row["agrees"] is None else f"{100 * row['agrees']:.1f}",
            ]
            for row in found[kind]
        ]
        parts.append(markdown(heads, rows))
    rows = [
        [row["lexicon"], *map(figure, (row["mean_ms"], *row["quantiles_ms"])),
         f"{row['same']} of {row['of']}"]
        for row in found["lexicons"]
    ]  # fmt: skip
    if rows:
        heads = ["lexicon", "mean ms an image", "p50", "p95", "p99", "same as scoring every word"]
        parts.append(markdown(heads, rows))
    return "\n\n".join(parts)
