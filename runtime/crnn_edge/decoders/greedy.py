"""The most probable class of each time step: the text of the single best alignment.

Repeats are merged, then blanks dropped ("best path decoding", Graves et al. 2006, section 3.2).
It is not always the most probable text: with p = [blank .6, a .4] at two steps it says nothing
(p = 0.36), though `a` has p = 0.64 over its three alignments.
"""

from __future__ import annotations

from collections.abc import Sequence

from crnn_edge.charset import Charset
from crnn_edge.decoders.base import Hypothesis
from crnn_edge.decoders.checks import check_log_probs
from crnn_edge.decoders.ctc import merged
from crnn_edge.types import FloatArray


class Decoder:
    """The greedy decoder. It has no settings.

    Args:
        charset: What the classes stand for.
    """

    nbest = 1
    strict = True

    def __init__(self, charset: Charset) -> None:
        """Keep the charset."""
        self.charset = charset

    def __call__(
        self, log_probs: FloatArray, lengths: Sequence[int] | None = None
    ) -> list[list[Hypothesis]]:
        """Decode log_probs `(N, T, C) float32`."""
        log_probs = check_log_probs(log_probs, self.charset.num_classes, lengths)
        pairs = zip(best_paths(log_probs), log_probs, strict=True)
        return [[Hypothesis.of(text, rows)] for text, rows in pairs]


def best_paths(scores: FloatArray) -> list[list[int]]:
    """The texts of the best alignments, in class ids."""
    return [merged(path) for path in scores.argmax(axis=2).tolist()]
