"""Prefix beam search of one image, in plain Python.

Python, on purpose: a trained network leaves one to three tokens worth trying at a step, and a
single call of NumPy takes as long as trying five.
"""

from __future__ import annotations

from functools import lru_cache

from crnn_edge.charset import BLANK
from crnn_edge.decoders.automaton import Automaton
from crnn_edge.decoders.ctc import BoolArray, DoubleArray, FloatArray

Step = tuple[float, list[tuple[float, int]]]
"""What a time step offers: p(blank), and p of each token worth trying, highest first."""

Text = tuple[float, list[int]]
"""A text in class ids, after its probability as far as the beam saw it."""

TINY = 1e-100
"""Sums below are scaled up: floats end at 1e-308."""


def worth_trying(
    probs: FloatArray | DoubleArray, token_prob: float, blank_prob: float
) -> BoolArray:
    """Which classes of probabilities `(N, T, C)` are: above that, at steps of no such blank.

    Never the blank, which always is.
    """
    tried: BoolArray = probs > token_prob
    tried[probs[:, :, BLANK] >= blank_prob] = False
    tried[:, :, BLANK] = False
    return tried


def steps_of(probs: FloatArray | DoubleArray, tried: BoolArray) -> list[list[Step]]:
    """What the steps of each image offer.

    Args:
        probs: `(N, T, C)`.
        tried: `(N, T, C)`: which classes are worth trying; never the blank, which always is.
    """
    n, steps, classes = probs.shape
    flat = tried.ravel().nonzero()[0]
    offers: list[list[tuple[float, int]]] = [[] for _ in range(n * steps)]
    for place, p in zip(flat.tolist(), probs.ravel()[flat].tolist(), strict=True):
        step, token = divmod(place, classes)
        offers[step].append((p, token))
    for some in offers:
        if len(some) > 1:
            some.sort(reverse=True)
    found = list(zip(probs[:, :, BLANK].ravel().tolist(), offers, strict=True))
    return [found[i * steps : (i + 1) * steps] for i in range(n)]


@lru_cache
def continuations(width: int) -> list[int]:
    """How many tokens may bring the best, the second, … prefix of a beam into the next one.

    Prefix i with the j-th best token (counted from 0) is no better than i + 1 prefixes with j + 1
    tokens each, itself among them, and at most one of each prefix repeats its last token and is
    worth less. Where that leaves `width` others, it need not be tried.
    """
    return [-(-(width + 1) // (i + 1)) for i in range(width)]


def search(
    steps: list[Step],
    classes: int,
    width: int,
    share: float,
    automaton: Automaton | None = None,
) -> list[Text]:
    """The texts that a beam ends with, most probable first.

    A prefix in the beam is (p, number, last token, p of its alignments that end on a blank, p of
    those that end on the token). Its number holds its tokens, some bits each: the prefix before it
    is a shift away, and nothing need be stored of prefixes that come and go.

    Args:
        steps: What they offer.
        classes: The C of the log-probabilities.
        width: Prefixes kept.
        share: Prefixes with less than this share of the best are dropped.
        automaton: What texts there may be.
    """
    limits = continuations(width)
    bits = classes.bit_length()
    nodes = {0: 0}  # where prefixes are in the automaton, by number
    beam = [(1.0, 0, BLANK, 1.0, 0.0)]
    scale, on_blanks = 1.0, True
    for left, (blank, offers) in zip(range(len(steps) - 1, -1, -1), steps, strict=True):
        if not offers:
            scale *= blank
            if not on_blanks:
                beam = [(p, number, last, p, 0.0) for p, number, last, _, _ in beam]
                on_blanks = True
            continue
        on_blanks = False
        prob_of = {token: prob for prob, token in offers}
        present = {prefix[1]: prefix for prefix in beam}
        highest, likeliest = offers[0]
        # What has less than its share of the best is not even made, nor what `width` prefixes
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
        if len(grown) == width:
            floor = max(floor, min(grown)[0])
        for i, (p, number, last, on_blank, _) in enumerate(beam):
            if p * highest <= floor:
                break
            if automaton is None:
                choices = offers[: limits[i]]
            else:
                choices = automaton.choices(nodes[number], offers, left)
            number <<= bits
            for prob, token in choices:
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
        beam = grown[:width]
        while beam[-1][0] < floor:
            beam.pop()
        if automaton is not None:
            for _, number, token, _, _ in beam:
                if number not in nodes:
                    nodes[number] = automaton.arcs[nodes[number >> bits]][token]
        if beam[0][0] < TINY:
            scale *= TINY
            beam = [(p / TINY, n, k, b / TINY, e / TINY) for p, n, k, b, e in beam]
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
