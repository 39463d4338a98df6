"""The most probable class of each time step: the text of the single best alignment.

Repeats are merged, then blanks dropped ("best path decoding", Graves et al. 2006, section 3.2).
It is not always the most probable text: with p = [blank .6, a .4] at two steps it says nothing
(p = 0.36), though `a` has p = 0.64 over its three alignments.
"""

from __future__ import annotations

from collections.abc import Sequence

from crnn_edge.charset import Charset
from crnn_edge.decoders.checks import check_log_probs, check_logits
from crnn_edge.decoders.ctc import FloatArray, merged
from crnn_edge.decoders.recognition import Recognition


class Decoder:
    """The greedy decoder. It has no settings.

    Args:
        charset: What the classes stand for.
    """

    def __init__(self, charset: Charset) -> None:
        """Keep the charset."""
        self.charset = charset

    def __call__(
        self, log_probs: FloatArray, lengths: Sequence[int] | None = None
    ) -> list[Recognition]:
        """Read log_probs `(N, T, C) float32`; spans are in time steps."""
        return self._read(check_log_probs(log_probs, self.charset.num_classes, lengths), False)

    def of_logits(self, logits: FloatArray) -> list[Recognition]:
        """The same of logits: the highest of a step is the highest, whatever they sum to.

        The logits of a single image become part of its reading.
        """
        check_logits(logits, self.charset.num_classes)
        return self._read(logits, True)

    def _read(self, scores: FloatArray, logits: bool) -> list[Recognition]:
        owned = logits and len(scores) == 1
        return [
            Recognition.of(self.charset, text, rows, logits=logits, owned=owned)
            for text, rows in zip(best_paths(scores), scores, strict=True)
        ]


def best_paths(scores: FloatArray) -> list[list[int]]:
    """The texts of the best alignments, in class ids."""
    return [merged(path) for path in scores.argmax(axis=2).tolist()]
