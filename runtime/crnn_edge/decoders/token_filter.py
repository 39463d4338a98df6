"""Which tokens a decoder may read, whichever decoder it is.

Four settings that every decoder has, because they change log-probabilities before it sees them:

- `ignore`: characters that images show and texts leave out, such as the dash of a license plate.
  Their probability is added to the blank's at every time step, so that a text is neither rewarded
  nor punished for them.
- `fold_case`: `upper` or `lower`: letters of the other case count as this one, for texts of one
  case. `A` has then the probability of `A` and `a` together.
- `allowed`: the only characters that may be read.
- `blocked`: characters that may not be read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crnn_edge.charset import BLANK, Charset
from crnn_edge.decoders.base import Decoder, Hypothesis
from crnn_edge.decoders.checks import check_kind, check_log_probs
from crnn_edge.decoders.ctc import BoolArray, IntArray
from crnn_edge.errors import DecodeError
from crnn_edge.types import FloatArray

CASES = ("upper", "lower")


class TokenFilter:
    """Moves the probability of classes, and forbids classes.

    Args:
        charset: What the classes stand for.
        ignore: Characters whose probability counts as the blank's.
        fold_case: `upper` or `lower`; empty for neither.
        allowed: The only characters that may be read; empty for all.
        blocked: Characters that may not be read.

    Attributes:
        target: `(C,)`: the class that each class counts as.
        forbidden: `(C,) bool`: classes of which nothing is left.

    Raises:
        DecodeError: If a character is not in the charset, or no character is left.
    """

    def __init__(
        self,
        charset: Charset,
        ignore: str = "",
        fold_case: str = "",
        allowed: str = "",
        blocked: str = "",
    ) -> None:
        """Find the classes of all characters."""
        given = {"ignore": ignore, "allowed": allowed, "blocked": blocked}
        check_kind(str, "text", **given, fold_case=fold_case)
        if fold_case not in ("", *CASES):
            raise DecodeError(
                f"decoder setting 'fold_case' must be upper or lower, got {fold_case!r}"
            )
        self.charset = charset
        self.target: IntArray = np.arange(charset.num_classes)
        class_of = {token: k for k, token in enumerate(charset.tokens, start=1)}
        for token, k in class_of.items() if fold_case else ():
            self.target[k] = class_of.get(getattr(token, fold_case)(), k)
        classes = {name: self._classes(name, text, class_of) for name, text in given.items()}
        self.forbidden: BoolArray = self.target != np.arange(charset.num_classes)
        if allowed:
            permitted = self.target[classes["allowed"]]
            self.forbidden |= ~np.isin(np.arange(charset.num_classes), permitted)
        self.forbidden[classes["blocked"]] = True
        self.target[classes["ignore"]] = BLANK
        self.forbidden[classes["ignore"]] = True
        self.forbidden[BLANK] = False
        if self.forbidden[1:].all():
            raise DecodeError("the settings ignore, allowed and blocked leave no character to read")
        self._moved = np.flatnonzero(self.target != np.arange(charset.num_classes))

    def _classes(self, name: str, text: str, class_of: dict[str, int]) -> list[int]:
        tokens = self.charset.split(text) if self.charset.separator else list(dict.fromkeys(text))
        if unknown := [token for token in tokens if token not in class_of]:
            raise DecodeError(
                f"decoder setting {name!r} has characters that are not in the charset: {unknown}"
            )
        return [class_of[token] for token in tokens]

    def __call__(self, log_probs: FloatArray) -> FloatArray:
        """Filtered log_probs `(N, T, C) float32`, a new array."""
        filtered = log_probs.copy()
        for k in self._moved.tolist():
            target = filtered[..., self.target[k]]
            np.logaddexp(target, log_probs[..., k], out=target)
        np.minimum(filtered, 0, out=filtered)  # sums of float32 end up to 1e-6 above
        filtered[..., self.forbidden] = -np.inf
        return filtered


class FilteredDecoder:
    """A decoder that is given filtered log-probabilities.

    Args:
        decoder: The decoder.
        token_filter: What filters them.
    """

    def __init__(self, decoder: Decoder, token_filter: TokenFilter) -> None:
        """Join the parts."""
        self.decoder = decoder
        self.token_filter = token_filter
        self.charset = token_filter.charset
        self.nbest = decoder.nbest
        self.strict = decoder.strict

    def __call__(
        self, log_probs: FloatArray, lengths: Sequence[int] | None = None
    ) -> list[list[Hypothesis]]:
        """Decode log_probs `(N, T, C) float32`."""
        log_probs = check_log_probs(log_probs, self.charset.num_classes, lengths)
        return self.decoder(self.token_filter(log_probs))
