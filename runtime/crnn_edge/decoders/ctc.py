"""Connectionist temporal classification: what all decoders share.

An alignment gives each time step one class; its text is what remains when repeats are merged and
blanks dropped. A text's probability is the sum over its alignments (A. Graves, S. Fernández,
F. Gomez, J. Schmidhuber: *Connectionist Temporal Classification*, ICML 2006, section 4.1).

Sums are exact however improbable a text is: they are taken in double precision, relative to the
most probable class of each step, and in log space where that could underflow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from crnn_edge.charset import BLANK
from crnn_edge.errors import DecodeError
from crnn_edge.types import FloatArray

DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

Texts = Sequence[Sequence[int]]
"""Texts in class ids, without blanks."""

_UNDERFLOW_SAFE_RANGE = (1e-200, 1e200)
"""A sum in this range has lost nothing to underflow, or overflow: to grow back from what underflows
takes some 200 steps in a row that tell nothing."""

_SHORT = 64
"""Tokens of a single text, up to which plain Python is quicker."""


def merged(path: Sequence[int]) -> list[int]:
    """The text of an alignment, both in class ids: repeats merged, then blanks dropped."""
    text, before = [], BLANK
    for k in path:  # of some 25 numbers: sooner than NumPy, and than itertools
        if k != before:
            if k != BLANK:
                text.append(k)
            before = k
    return text


def log_softmax(logits: FloatArray) -> FloatArray:
    """Logits `(…, C) float32` as log-probabilities of the same shape."""
    # Each row has a peak of its own: with a common one, a picture's last digits would depend on its
    # company in a batch.
    with np.errstate(over="ignore"):  # of the largest floats; the result is log 0
        found: FloatArray = logits - logits.max(axis=-1, keepdims=True)
    found -= np.log(np.exp(found).sum(axis=-1, keepdims=True))
    return found


def forward_sum(
    log_probs: FloatArray, texts: Texts, images: Sequence[int] | None = None
) -> DoubleArray:
    """The log p(text | image) of texts, each summed over all its alignments.

    Args:
        log_probs: `(N, T, C) float32`.
        texts: Any number of them.
        images: The index of the image that each text is of. By default there is a text an image;
            or, with N = 1, one image for all texts.

    Returns:
        `(len(texts),) float64`, minus infinity where a text needs more steps than there are.
    """
    n, steps, _ = log_probs.shape
    of = images_of(n, texts, images)
    peak = np.maximum(log_probs.max(axis=2), np.finfo(np.float32).min)  # if all are log 0
    if len(texts) == 1 and len(texts[0]) <= _SHORT:
        sums = np.array([_sum_alone(log_probs[of[0]], peak[of[0]], texts[0])])
    else:
        sums = _sums(log_probs, peak, texts, of)
    safe = (sums > _UNDERFLOW_SAFE_RANGE[0]) & (sums < _UNDERFLOW_SAFE_RANGE[1])
    found: DoubleArray = np.log(sums, out=np.full(len(texts), -np.inf), where=safe)
    found += peak.sum(axis=1, dtype=np.float64)[of]
    if not safe.all():
        rest = [i for i in (~safe).nonzero()[0].tolist() if _steps_needed(texts[i]) <= steps]
        states, skips = states_of([texts[i] for i in rest])
        alpha = forward(emitted_by(log_probs, states, of[rest]), skips)
        found[rest] = ends(alpha, np.array([len(texts[i]) for i in rest], dtype=np.intp))
    return found


def _sum_alone(rows: FloatArray, peak: FloatArray, text: Sequence[int]) -> float:
    """The sum of one text, relative to the peaks of rows `(T, C)`.

    In plain Python: for one text, a step takes NumPy as long as twenty tokens take here.
    """
    emitted = np.exp(np.subtract(rows[:, [BLANK, *text]], peak[:, None], dtype=np.float64))
    differs = [token != before for before, token in zip((BLANK, *text), text, strict=False)]
    on_token, on_blank = [0.0] * (len(text) + 1), [1.0] + [0.0] * len(text)
    for step, (blank, *seen) in enumerate(emitted.tolist(), start=1):
        for k in range(min(step, len(text)), 0, -1):
            token, arriving = on_token[k], on_blank[k - 1]
            if differs[k - 1]:
                arriving += on_token[k - 1]
            on_blank[k] = (on_blank[k] + token) * blank
            on_token[k] = (token + arriving) * seen[k - 1]
        on_blank[0] *= blank
    return on_token[-1] + on_blank[-1]


def _sums(log_probs: FloatArray, peak: FloatArray, texts: Texts, of: IntArray) -> DoubleArray:
    """The sums of texts, each relative to the peaks `(N, T)` of its image."""
    n, steps, num_classes = log_probs.shape
    lengths = np.array([len(text) for text in texts], dtype=np.intp)
    classes = np.full((1 + max(lengths, default=0), len(texts)), BLANK, dtype=np.intp)
    inside = np.arange(len(classes)) <= lengths[:, None]
    inside[:, 0] = False
    classes.T[inside] = [k for text in texts for k in text]
    differs = (classes[1:] != classes[:-1]).astype(np.float64)
    few = classes.size < n * num_classes  # then what is not looked at need not be computed
    if few:
        first = np.arange(0, log_probs.size, num_classes).reshape(n, steps)
        emitted = log_probs.ravel()[classes + first.T[:, None, of]]  # (T, 1 + max(L), len(texts))
        emitted = np.subtract(emitted, peak.T[:, None, of], dtype=np.float64)
        np.exp(emitted, out=emitted)
    else:
        table = np.exp(np.subtract(log_probs, peak[:, :, None], dtype=np.float64)).ravel()
        where = classes + of * (steps * num_classes)
    # A column a text. Row k is the sum over alignments so far of its first k tokens, which end on
    # the last of them, or on a blank. Before the first step they wait at the first blank.
    on_token, on_blank = np.zeros((2, *classes.shape))
    on_blank[0] = 1
    token_before, blank_before, token_now = on_token[:-1], on_blank[:-1], on_token[1:]
    arriving = np.empty(differs.shape)
    with np.errstate(under="ignore", over="ignore", invalid="ignore"):
        for t in range(steps):
            if few:
                now = emitted[t]
            else:
                now = table[where]
                where += num_classes
            np.multiply(token_before, differs, out=arriving)
            arriving += blank_before
            on_blank += on_token
            on_blank *= now[0]
            token_now += arriving
            token_now *= now[1:]
    index = np.arange(len(texts))
    found: DoubleArray = on_token[lengths, index] + on_blank[lengths, index]
    return found


def _steps_needed(text: Sequence[int]) -> int:
    """One a token, and a blank between two that are the same."""
    return len(text) + sum(a == b for a, b in pairwise(text))


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
    (classes,), (skips,) = states_of([text])
    emitted = log_probs[:, classes].astype(np.float64)
    steps, states = emitted.shape
    penalty = np.where(skips, 0.0, -np.inf)
    # Two columns of log 0 on the left let every state look two back.
    scores = np.full((steps, states + 2), -np.inf)
    scores[0, 2:4] = emitted[0, :2]
    skipped = np.empty(states)
    for before, now, seen in zip(scores, scores[1:, 2:], emitted[1:], strict=False):
        np.add(before[:-2], penalty, out=skipped)
        np.maximum(before[2:], before[1:-1], out=now)
        np.maximum(now, skipped, out=now)
        now += seen
    table, may_skip = scores.tolist(), [False, False, *skips.tolist()]
    state = states + 1
    if states > 1 and table[-1][state - 1] > table[-1][state]:
        state -= 1
    if table[-1][state] == -math.inf:
        raise DecodeError(f"{steps} time steps cannot spell the {len(text)} classes {list(text)}")
    path = np.full(steps, -1, dtype=np.intp)
    for t in range(steps - 1, -1, -1):
        if state % 2:
            path[t] = state // 2 - 1
        if t:
            ways = (state, state - 1, state - 2) if may_skip[state] else (state, state - 1)
            state = max(ways, key=table[t - 1].__getitem__)  # the first of several
    return path


def images_of(n: int, texts: Texts, images: Sequence[int] | None) -> IntArray:
    """The index of the image of each text."""
    if images is None:
        return np.zeros(len(texts), np.intp) if n == 1 else np.arange(n)
    return np.asarray(images, dtype=np.intp)


def states_of(texts: Texts) -> tuple[IntArray, BoolArray]:
    """The states that alignments of each text pass through: blanks around its classes.

    Returns:
        Classes `(n, S)`, S = 2 max(L) + 1, short texts filled up with blanks; and `(n, S)`
        whether a path may come from two states back: only onto a token that differs from the
        token before.
    """
    classes = np.full((len(texts), 2 * max(map(len, texts), default=0) + 1), BLANK, dtype=np.intp)
    for row, text in zip(classes, texts, strict=True):
        row[1 : 2 * len(text) : 2] = text
    skips = np.zeros(classes.shape, dtype=np.bool_)
    skips[:, 2:] = (classes[:, 2:] != BLANK) & (classes[:, 2:] != classes[:, :-2])
    return classes, skips


def emitted_by(log_probs: FloatArray, classes: IntArray, images: IntArray) -> DoubleArray:
    """The log-probability `(n, T, S)` of each state's class at each step."""
    return np.take_along_axis(log_probs[images], classes[:, None, :], axis=2).astype(np.float64)


def forward(emitted: DoubleArray, skips: BoolArray) -> DoubleArray:
    """The log-sum `(n, T, S)` over the ways to each state at each step, in log space."""
    n, steps, states = emitted.shape
    penalty = np.where(skips, 0.0, -np.inf)
    # Two columns of log 0 on the left let every state look two back.
    alpha = np.full((n, steps, states + 2), -np.inf)
    alpha[:, 0, 2:4] = emitted[:, 0, :2]
    for t in range(1, steps):
        before, now = alpha[:, t - 1], alpha[:, t, 2:]
        np.logaddexp(before[:, 2:], before[:, 1:-1], out=now)
        np.logaddexp(now, before[:, :-2] + penalty, out=now)
        now += emitted[:, t]
    return alpha[:, :, 2:]


def ends(alpha: DoubleArray, lengths: IntArray) -> DoubleArray:
    """The log-sum of the two states that an alignment of a whole text may end in."""
    last = alpha[np.arange(len(lengths)), -1]
    both = np.stack([2 * lengths, np.maximum(2 * lengths - 1, 0)], axis=1)
    token_and_blank = np.take_along_axis(last, both, axis=1)
    token_and_blank[lengths == 0, 1] = -np.inf  # a text of no tokens ends in its one blank
    found: DoubleArray = np.logaddexp(token_and_blank[:, 0], token_and_blank[:, 1])
    return found
