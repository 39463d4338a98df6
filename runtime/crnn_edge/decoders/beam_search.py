"""Prefix beam search of one image, in plain Python.

Python, on purpose: a trained network leaves one to three tokens worth trying at a step, and a
single call of NumPy takes as long as trying five.
"""

from __future__ import annotations

from functools import lru_cache

from crnn_edge.charset import BLANK
from crnn_edge.decoders.automaton import Automaton
from crnn_edge.decoders.ctc import BoolArray, DoubleArray
from crnn_edge.types import FloatArray

Step = tuple[float, list[tuple[float, int]]]
"""A time step: p(blank), and p of each candidate token, highest first."""

Text = tuple[float, list[int]]
"""A text in class ids, after its probability as far as the beam saw it."""

RESCALE_BELOW = 1e-100
"""Sums below are scaled up: floats end at 1e-308."""


def candidate_mask(
    probs: FloatArray | DoubleArray, min_token_prob: float, blank_skip_threshold: float
) -> BoolArray:
    """Which classes of probabilities `(N, T, C)` are: above that, at steps of no such blank.

    Never the blank, which always is.
    """
    mask: BoolArray = probs > min_token_prob
    mask[probs[:, :, BLANK] >= blank_skip_threshold] = False
    mask[:, :, BLANK] = False
    return mask


def steps_of(probs: FloatArray | DoubleArray, mask: BoolArray) -> list[list[Step]]:
    """The time steps of each image.

    Args:
        probs: `(N, T, C)`.
        mask: `(N, T, C)`: which classes are candidates; never the blank, which always is.
    """
    n, steps, classes = probs.shape
    flat = mask.ravel().nonzero()[0]
    candidates: list[list[tuple[float, int]]] = [[] for _ in range(n * steps)]
    for place, p in zip(flat.tolist(), probs.ravel()[flat].tolist(), strict=True):
        step, token = divmod(place, classes)
        candidates[step].append((p, token))
    for some in candidates:
        if len(some) > 1:
            some.sort(reverse=True)
    found = list(zip(probs[:, :, BLANK].ravel().tolist(), candidates, strict=True))
    return [found[i * steps : (i + 1) * steps] for i in range(n)]


@lru_cache
def continuations(beam_size: int) -> list[int]:
    """How many tokens may bring the best, the second, … prefix of a beam into the next one.

    Prefix i with the j-th best token (counted from 0) is no better than i + 1 prefixes with j + 1
    tokens each, itself among them, and at most one of each prefix repeats its last token and is
    worth less. Where that leaves `beam_size` others, it need not be tried.
    """
    return [-(-(beam_size + 1) // (i + 1)) for i in range(beam_size)]


def search(
    steps: list[Step],
    classes: int,
    beam_size: int,
    share: float,
    automaton: Automaton | None = None,
) -> list[Text]:
    """The texts that a beam ends with, most probable first.

    A prefix in the beam is (p, number, last token, p of its alignments that end on a blank, p of
    those that end on the token). Its number holds its tokens, some bits each: the prefix before it
    is a shift away, and nothing need be stored of prefixes that come and go.

    Args:
        steps: The time steps of the image.
        classes: The C of the log-probabilities.
        beam_size: Prefixes kept.
        share: Prefixes with less than this share of the best are dropped.
        automaton: What texts there may be.
    """
    limits = continuations(beam_size)
    bits = classes.bit_length()
    nodes = {0: 0}  # where prefixes are in the automaton, by number
    beam = [(1.0, 0, BLANK, 1.0, 0.0)]
    scale, on_blanks = 1.0, True
    for left, (blank, candidates) in zip(range(len(steps) - 1, -1, -1), steps, strict=True):
        if not candidates:
            scale *= blank
            if not on_blanks:
                beam = [(p, number, last, p, 0.0) for p, number, last, _, _ in beam]
                on_blanks = True
            continue
        on_blanks = False
        prob_of = {token: prob for prob, token in candidates}
        present = {prefix[1]: prefix for prefix in beam}
        highest, likeliest = candidates[0]
        # What has less than its share of the best is not even made, nor what `beam_size` prefixes
        # exceed that there are anyway.
        p, _, last, on_blank, _ = beam[0]
        floor = share * (on_blank if last == likeliest else p) * highest
        grown = []
        for p, number, last, _, on_token in beam:
            if automaton is not None and automaton.distance[nodes[number]] > left:
                continue
            p *= blank
            if last in prob_of:
                if before := present.get(number >> bits):
                    on_token += before[3] if before[2] == last else before[0]
                on_token *= prob_of[last]
                if p + on_token >= floor:
                    grown.append((p + on_token, number, last, p, on_token))
            elif p >= floor:
                grown.append((p, number, last, p, 0.0))
        if len(grown) == beam_size:
            floor = max(floor, min(grown)[0])
        for i, (p, number, last, on_blank, _) in enumerate(beam):
            if p * highest <= floor:
                break
            if automaton is None:
                allowed = candidates[: limits[i]]
            else:
                allowed = automaton.allowed_tokens(nodes[number], candidates, left)
            number <<= bits
            for prob, token in allowed:
                if (made := p * prob) <= floor:
                    break
                if token == last and (made := on_blank * prob) <= floor:
                    continue
                if (new := number + token) not in present:
                    grown.append((made, new, token, 0.0, made))
        if not grown:
            return []
        grown.sort(reverse=True)
        floor = grown[0][0] * share
        beam = grown[:beam_size]
        while beam[-1][0] < floor:
            beam.pop()
        if automaton is not None:
            for _, number, token, _, _ in beam:
                if number not in nodes:
                    nodes[number] = automaton.arcs[nodes[number >> bits]][token]
        if beam[0][0] < RESCALE_BELOW:
            scale *= RESCALE_BELOW
            beam = [
                (p / RESCALE_BELOW, n, k, b / RESCALE_BELOW, e / RESCALE_BELOW)
                for p, n, k, b, e in beam
            ]
    texts = []
    for p, number, *_ in beam:
        if automaton is not None and not automaton.accepts[nodes[number]]:
            continue
        texts.append((p * scale, tokens_of(number, bits)))
    return texts


def tokens_of(number: int, bits: int) -> list[int]:
    """The class ids that a prefix's number holds, so many bits each."""
    text = []
    while number:
        text.append(number & (1 << bits) - 1)
        number >>= bits
    return text[::-1]
