"""Prefix beam search of many images at once, in NumPy.

The same search as `crnn_edge.decoders.beam_search`, a step of all images at a time. It pays where
the network is unsure, so that there is much to try; the plain one where there is not.
"""

from __future__ import annotations

import numpy as np

from crnn_edge.charset import BLANK
from crnn_edge.decoders.beam_search import Text, continuations
from crnn_edge.decoders.ctc import BoolArray, DoubleArray, IntArray
from crnn_edge.types import FloatArray

_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def search(
    probs: FloatArray | DoubleArray, mask: BoolArray, beam_size: int, share: float
) -> list[list[Text]]:
    """The texts that the beam of each image ends with, most probable first.

    A prefix goes by a number of 64 bits that is made of its tokens: two in a beam are mistaken for
    one once in 10^15 images or so.

    Args:
        probs: `(N, T, C)`.
        mask: `(N, T, C)`: which classes are candidates; never the blank, which always is.
        beam_size: Prefixes kept.
        share: Prefixes with less than this share of the best are dropped.
    """
    n, steps, classes = probs.shape
    blanks = probs[:, :, BLANK].astype(np.float64)
    probs = np.where(mask, probs, 0.0).astype(np.float64)
    most = min(beam_size + 1, classes - 1)
    candidates = np.argpartition(probs, -most, axis=2)[:, :, -most:]
    order = np.argsort(-np.take_along_axis(probs, candidates, axis=2), axis=2, kind="stable")
    candidates = np.take_along_axis(candidates, order, axis=2)  # (N, T, most), most probable first
    candidate_probs = np.take_along_axis(probs, candidates, axis=2)
    # Which prefix is tried with which candidate, and the place of that pair; then a waste bin.
    which, candidate = np.array(
        [
            (i, j)
            for i, limit in enumerate(continuations(beam_size))
            for j in range(min(limit, most))
        ]
    ).T
    place = np.full((beam_size, most + 1), len(which))
    place[which, candidate] = np.arange(len(which))

    # Of each image and prefix (N, W), most probable first; those that are not there have p = 0.
    on_blank, on_token = np.zeros((2, n, beam_size))
    on_blank[:, 0] = 1
    last = np.zeros((n, beam_size), dtype=np.intp)
    number, parent = np.zeros((2, n, beam_size), dtype=np.uint64)
    number[:, 0] = 1  # the empty prefix; 0 is none
    scale = np.zeros(n)
    image = np.arange(n)[:, None]
    made = np.zeros((n, len(which) + 1))  # p of each pair, and the waste bin
    came_from = np.empty((steps, n, beam_size), dtype=np.intp)
    added = np.empty((steps, n, beam_size), dtype=np.intp)
    for t in range(steps):
        total = on_blank + on_token
        # Prefixes that stay, with a blank, the last token again, or from the prefix before.
        is_parent = parent[:, :, None] == number[:, None, :]
        before = is_parent.argmax(axis=2)
        known = np.take_along_axis(is_parent, before[:, :, None], axis=2)[:, :, 0]
        repeats = last[image, before] == last
        arriving = np.where(repeats, on_blank[image, before], total[image, before]) * known
        stay_token = (on_token + arriving) * probs[image, t, last]
        stay_blank = total * blanks[:, t, None]
        # Prefixes that are new: not those that are there already.
        tokens = candidates[:, t]
        pair_tokens = tokens[:, candidate]
        again = last[:, which] == pair_tokens
        made[:, :-1] = (
            np.where(again, on_blank[:, which], total[:, which]) * candidate_probs[:, t, candidate]
        )
        same = last[:, :, None] == tokens[:, None, :]
        rank = np.where(same.any(axis=2) & known, same.argmax(axis=2), most)
        made[image, place[before, rank]] = 0.0
        # The best of both.
        grown = np.concatenate([stay_blank + stay_token, made[:, :-1]], axis=1)
        best = np.argpartition(grown, -beam_size, axis=1)[:, -beam_size:]
        best = best[image, np.argsort(-grown[image, best], axis=1, kind="stable")]
        kept = grown[image, best]
        stays = best < beam_size
        pair = np.maximum(best - beam_size, 0)
        source = np.where(stays, best, which[pair])
        token = np.where(stays, BLANK, pair_tokens[image, pair])
        kept[kept < share * kept[:, :1]] = 0.0
        alive = kept > 0
        factor = np.where(alive[:, 0], kept[:, 0], 1.0)[:, None]
        on_blank = np.where(stays & alive, stay_blank[image, source], 0.0) / factor
        on_token = np.where(stays, stay_token[image, source], kept) * alive / factor
        scale += np.log(factor[:, 0])
        last = np.where(stays, last[image, source], token)
        grown_from = number[image, source]
        parent = np.where(stays, parent[image, source], grown_from) * alive
        fresh = (grown_from + token.astype(np.uint64)) * _FACTOR
        number = np.where(stays, grown_from, fresh) * alive
        came_from[t], added[t] = source, token
    return _texts(on_blank + on_token, scale, came_from, added)


def _texts(
    total: DoubleArray, scale: DoubleArray, came_from: IntArray, added: IntArray
) -> list[list[Text]]:
    """The texts that prefixes stand for, which are found by going back step by step."""
    image = np.arange(len(total))[:, None]
    slot = np.broadcast_to(np.arange(total.shape[1]), total.shape)
    backwards = []
    for source, token in zip(came_from[::-1], added[::-1], strict=True):
        backwards.append(token[image, slot])
        slot = source[image, slot]
    paths = np.stack(backwards[::-1], axis=2).tolist()
    factors = np.exp(scale).tolist()
    return [
        [(p * f, [k for k in path if k]) for p, path in zip(ps, some, strict=True) if p > 0]
        for ps, f, some in zip(total.tolist(), factors, paths, strict=True)
    ]
