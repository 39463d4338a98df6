"""Recognitions of a decoder alone; spans are in time steps unless a place is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crnn_edge.decoders.base import Decoder
from crnn_edge.recognition import Recognition


def decode(
    decoder: Decoder,
    log_probs: np.ndarray,
    lengths: Sequence[int] | None = None,
    **place: Any,
) -> list[Recognition]:
    """The recognitions of log_probs `(N, T, C)` or `(T, C)`; `place` as of `Recognition.of`."""
    charset = decoder.charset  # type: ignore[attr-defined]
    return [Recognition.of(charset, found, **place) for found in decoder(log_probs, lengths)]
