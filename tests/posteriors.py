"""Forward and backward together: what the network's steps say of a text's states.

From it comes the gradient that trains a network, with which the sums of `crnn_edge.decoders.ctc`
are held against those that training sees.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crnn_edge.decoders import ctc
from crnn_edge.decoders.ctc import DoubleArray, Texts
from crnn_edge.types import FloatArray


def occupancy(
    log_probs: FloatArray, texts: Texts, images: Sequence[int] | None = None
) -> DoubleArray:
    """How probable each state is at each step, given the text: the forward-backward algorithm.

    Args:
        log_probs: `(N, T, C) float32`.
        texts: Any number of them.
        images: As in `forward_sum`.

    Returns:
        `(len(texts), T, S) float64`, S = 2 max(L) + 1: state 2k + 1 is token k of the text, the
        others are the blanks around them. Each step sums to 1; or to 0 where a text has no
        alignment.
    """
    of = ctc.images_of(len(log_probs), texts, images)
    classes, skips = ctc.states_of(texts)
    emitted = ctc.emitted_by(log_probs, classes, of)
    forward = ctc.forward(emitted, skips)
    # The way back is a way forth: the text and the steps in reverse.
    mirrored, mirrored_skips = ctc.states_of([text[::-1] for text in texts])
    back = ctc.forward(ctc.emitted_by(log_probs[:, ::-1], mirrored, of), mirrored_skips)[:, ::-1]
    last = 2 * np.array([len(text) for text in texts], dtype=np.intp)
    state = last[:, None] - np.arange(classes.shape[1])
    backward = np.take_along_axis(back, np.maximum(state, 0)[:, None, :], axis=2)
    backward[np.broadcast_to((state < 0)[:, None, :], backward.shape)] = -np.inf
    possible = (forward > -np.inf) & (backward > -np.inf)
    total = ctc.ends(forward, last // 2)
    joint = np.full(emitted.shape, -np.inf)
    # Both ways have paid for the step where they meet.
    np.subtract(forward + backward, emitted, out=joint, where=possible)
    np.subtract(joint, total[:, None, None], out=joint, where=possible)
    found: DoubleArray = np.exp(joint)
    return found


def gradient(log_probs: FloatArray, texts: Texts) -> DoubleArray:
    """The gradient of the CTC loss -log p(text | image) by the *logits* (equation 16).

    Args:
        log_probs: `(N, T, C) float32`, log-softmax of the logits.
        texts: A text an image.

    Returns:
        `(N, T, C) float64`: what the network says less what it should. Zeros where a text has no
        alignment, as with `zero_infinity` in torch.
    """
    shares = occupancy(log_probs, texts)
    found: DoubleArray = np.exp(log_probs, dtype=np.float64)
    for rows, share, classes in zip(found, shares, ctc.states_of(texts)[0], strict=True):
        np.subtract.at(rows.T, classes, share.T)
        if not share.any():
            rows[:] = 0
    return found
