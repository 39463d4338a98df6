"""Where the characters of a text stand, from its best alignment.

CTC says at which time step the network was sure of a character, not how wide the character is, and
a network with a recurrent layer is sure of it some steps before or after the character's middle,
the same number for all characters. So a character's span runs from midway to the character before
it to midway to the one after it, moved by that number of steps. The first and the last character
reach as far outwards as inwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from crnn_edge.decoders.ctc import IntArray

LEAD_STEPS = 1.5
"""How many time steps before a character's middle the shipped networks are sure of it
(`python -m model.analysis.character_boxes`)."""


def token_spans(
    alignment: IntArray, tokens: int, lead_steps: float = LEAD_STEPS
) -> list[tuple[float, float]]:
    """Start and end of each token, in time steps; they neither overlap nor leave the image.

    Args:
        alignment: `(T,)`: the index of the token that each time step shows, -1 for the blank.
        tokens: How many tokens there are; each has at least one time step.
        lead_steps: How much earlier than a token's middle its time steps are.
    """
    inside = len(alignment) - 0.5
    middles = [min(max(m + lead_steps, 0.5), inside) for m in middles_of(alignment, tokens)]
    if not middles:
        return []
    between = [(a + b) / 2 for a, b in pairwise(middles)]
    if between:
        first, last = 2 * middles[0] - between[0], 2 * middles[-1] - between[-1]
    else:
        first, last = 0.0, float(len(alignment))
    edges = [min(max(edge, 0.0), float(len(alignment))) for edge in (first, *between, last)]
    return list(pairwise(edges))


def middles_of(alignment: IntArray, tokens: int) -> Sequence[float]:
    """The middle of the time steps of each token, in time steps."""
    middles = []
    for index in range(tokens):
        (steps,) = (alignment == index).nonzero()
        middles.append((float(steps[0]) + float(steps[-1]) + 1) / 2)
    return middles
