"""Connectionist temporal classification: what all decoders share.

An alignment gives each time step one class; its text is what remains when repeats are merged and
blanks dropped. A text's probability is the sum over its alignments (A. Graves, S. Fernández,
F. Gomez, J. Schmidhuber: *Connectionist Temporal Classification*, ICML 2006, section 4.1).

Everything is in log space and double precision: a text may be as improbable as it likes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from runtime.charset import BLANK
from runtime.errors import DecodeError

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

_TOLERANCE = 1e-3  # float32 log-softmax of 100 classes ends up to 1e-6 above 0


def check_log_probs(log_probs: FloatArray, num_classes: int) -> None:
    """Refuse what cannot be log-probabilities `(N, T, C)`. One pass over the array: 1 µs.

    Minus infinity is allowed: it is log 0.

    Raises:
        DecodeError: If the shape is wrong, there is no time step, or a value is NaN or above 0.
    """
    if log_probs.ndim != 3 or log_probs.shape[2] != num_classes or log_probs.shape[1] == 0:
        raise DecodeError(
            f"expected log_probs (N, T, C) with T > 0 and C = {num_classes} (the charset's tokens "
            f"and the blank), got shape {log_probs.shape}"
        )
    if len(log_probs) and not (peak := log_probs.max()) <= _TOLERANCE:
        raise DecodeError(
            f"expected log-probabilities, at most 0, but the largest is {peak}: apply log-softmax "
            "to logits. If it is NaN already, the model file is damaged"
        )


def _states(texts: Sequence[Sequence[int]]) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """The states that alignments of each text pass through: blanks around its classes.

    Returns:
        Classes `(N, S)`, S = 2 max(L) + 1, short texts filled up with blanks; and `(N, S)`
        whether a path may come from two states back: only onto a token that differs from the
        token before.
    """
    classes = np.full((len(texts), 2 * max(map(len, texts), default=0) + 1), BLANK, dtype=np.intp)
    for row, text in zip(classes, texts, strict=True):
        row[1 : 2 * len(text) : 2] = text
    skips = np.zeros(classes.shape, dtype=np.bool_)
    skips[:, 2:] = (classes[:, 2:] != BLANK) & (classes[:, 2:] != classes[:, :-2])
    return classes, skips


def forward_sum(log_probs: FloatArray, texts: Sequence[Sequence[int]]) -> DoubleArray:
    """The log p(text | image) of one text an image, summed over all alignments.

    Args:
        log_probs: `(N, T, C) float32`; with N = 1, one image for all texts.
        texts: Class ids of each text, without blanks.

    Returns:
        `(len(texts),) float64`, minus infinity where a text needs more steps than there are.
    """
    classes, skips = _states(texts)
    penalty = np.where(skips, 0.0, -np.inf)
    rows = np.broadcast_to(log_probs, (len(texts), *log_probs.shape[1:]))
    emitted = np.take_along_axis(rows, classes[:, None, :], axis=2).astype(np.float64)
    n, steps, states = emitted.shape
    # Two columns of log 0 on the left let every state look two back.
    alpha = np.full((n, states + 2), -np.inf)
    alpha[:, 2:4] = emitted[:, 0, :2]
    for t in range(1, steps):
        best = np.logaddexp(alpha[:, 2:], alpha[:, 1:-1])
        np.logaddexp(best, alpha[:, :-2] + penalty, out=best)
        np.add(best, emitted[:, t], out=alpha[:, 2:])
    last = 2 * np.array([len(text) for text in texts], dtype=np.intp) + 2
    index = np.arange(n)
    return np.logaddexp(alpha[index, last], alpha[index, last - 1])


def align(log_probs: FloatArray, text: Sequence[int]) -> IntArray:
    """The most probable alignment of a text (Viterbi).

    Args:
        log_probs: `(T, C) float32`.
        text: Class ids, without blanks.

    Returns:
        `(T,)`: for each time step the index into `text`, -1 for blank. Of equally probable
        alignments, the one that is soonest through the text.

    Raises:
        DecodeError: If the text has no alignment of T steps with a probability above zero.
    """
    (classes,), (skips,) = _states([text])
    penalty = np.where(skips, 0.0, -np.inf)
    emitted = log_probs[:, classes].astype(np.float64)
    steps, states = emitted.shape
    score = np.full(states + 2, -np.inf)
    score[2:4] = emitted[0, :2]
    came_from = np.zeros((steps, states), dtype=np.intp)  # 0, 1 or 2 states back
    for t in range(1, steps):
        options = np.stack([score[2:], score[1:-1], score[:-2] + penalty])
        came_from[t] = options.argmax(axis=0)
        score[2:] = options.max(axis=0) + emitted[t]
    state = max(states - 1, 0) if score[-1] >= score[-2] else states - 2
    if score[state + 2] == -np.inf:
        raise DecodeError(f"{steps} time steps cannot spell the {len(text)} classes {list(text)}")
    path = np.full(steps, -1, dtype=np.intp)
    for t in range(steps - 1, -1, -1):
        if state % 2:
            path[t] = state // 2
        state -= came_from[t, state]
    return path
