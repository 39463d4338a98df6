"""The CTC decoders of one library: log-probabilities into texts, with processor time."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Read = Callable[[Array], list[str]]
"""Log-probabilities `(N, T, C)` into texts."""

NOT_OPTIMAL = "\0"
"""The text where exact search gave up, which is compared with nothing."""

RESCORED = " rescored"
"""Suffix of a lexicon's name: every word of it is scored."""


def start(library: str, log_probs: str, charset: str, words: str) -> dict[str, Callable[..., Any]]:
    """Make the decoders.

    Args:
        library: `ours`, or another library and its pruning threshold.
        log_probs: An `.npz` file of arrays `(N, T, C) float32`.
        charset: The tokens, as JSON.
        words: A folder of word lists, one each `.txt`; each makes a lexicon decoder.
    """
    arrays = dict(np.load(log_probs))
    if library.startswith("fast_ctc_decode"):  # it takes probabilities: converting does not count
        arrays = {name: np.exp(rows) for name, rows in arrays.items()}
    tokens = json.loads(charset)
    makers: dict[str, Callable[[], dict[str, Read]]] = {
        "ours": lambda: ours(tokens, Path(words)),
        # The highest that it allows for 96 classes, and so the fastest; then its default.
        "fast_ctc_decode, cut 0.01": lambda: fast_ctc_decode(tokens, 0.01),
        "fast_ctc_decode": lambda: fast_ctc_decode(tokens, 0.0),
        "pyctcdecode": lambda: pyctcdecode(tokens),
    }
    decoders = makers[library]()

    def read(decoder: str, name: str, first: int, last: int, batch: int) -> dict[str, Any]:
        rows, texts, marks_s = arrays[name][first:last], [], [time.process_time()]
        for k in range(0, len(rows), batch):
            texts += decoders[decoder](rows[k : k + batch])
            marks_s.append(time.process_time())
        return {"texts": texts, "cpu_s": np.diff(marks_s).tolist()}

    return {"read": read}


def ours(tokens: list[str], words: Path) -> dict[str, Read]:
    """The decoders of this project."""
    from crnn_edge.charset import Charset
    from crnn_edge.decoders import ctc, make_decoder
    from crnn_edge.decoders.base import Decoder
    from crnn_edge.decoders.lexicon_index import LexiconIndex
    from crnn_edge.errors import DecodeError

    charset = Charset(tuple(tokens))

    def read(decoder: Decoder) -> Read:
        return lambda log_probs: [charset.decode(best.classes) for best, *_ in decoder(log_probs)]

    prefix_search = make_decoder("prefix_search", charset, max_expansions=20_000)
    decoders = {
        "greedy": read(make_decoder("greedy", charset)),
        "beam": read(make_decoder("beam", charset)),
        "prefix_search": read(prefix_search),
        "optimal": lambda rows: [
            charset.decode(best.classes) if best.optimal else NOT_OPTIMAL
            for best, *_ in prefix_search(rows)
        ],
    }
    with suppress(DecodeError):  # the bundled language model lacks these tokens
        decoders["lm"] = read(make_decoder("lm", charset))
    for path in sorted(words.glob("*.txt")):
        decoders[path.stem] = read(make_decoder("lexicon", charset, words=path))
        index = LexiconIndex.read(path, charset)
        decoders[path.stem + RESCORED] = rescored(index, ctc.forward_sum)
    return decoders


def rescored(index: Any, forward_sum: Callable[..., npt.NDArray[np.float64]]) -> Read:
    """Every word of a lexicon scored: the lexicon decoder must give the same."""
    words = index.automaton.texts()

    def read(log_probs: Array) -> list[str]:
        texts = []
        for rows in index.merge(log_probs):
            parts = [words[k : k + 5000] for k in range(0, len(words), 5000)]
            scores = np.concatenate([forward_sum(rows[None], part) for part in parts])
            texts.append(index.charset.decode(words[int(scores.argmax())]))
        return texts

    return read


def fast_ctc_decode(tokens: list[str], cut: float) -> dict[str, Read]:
    """The decoders of fast-ctc-decode, in Rust."""
    import fast_ctc_decode as library  # type: ignore[import-not-found]

    alphabet = "\0" + "".join(tokens)

    def beam(probs: Array) -> list[str]:
        return [
            library.beam_search(rows, alphabet, beam_size=10, beam_cut_threshold=cut)[0]
            for rows in probs
        ]

    def greedy(probs: Array) -> list[str]:
        return [library.viterbi_search(rows, alphabet)[0] for rows in probs]

    return {"greedy": greedy, "beam": beam}


def pyctcdecode(tokens: list[str]) -> dict[str, Read]:
    """The beam search of pyctcdecode, in Python, without a language model."""
    logging.disable(logging.CRITICAL)
    from pyctcdecode import build_ctcdecoder  # type: ignore[import-not-found]

    decoder = build_ctcdecoder(["", *tokens])
    return {"beam": lambda log_probs: [decoder.decode(rows, beam_width=10) for rows in log_probs]}
