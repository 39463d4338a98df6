"""Characters' spans: from midway to midway, moved by the network's lead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn_edge import Recognizer
from crnn_edge.decoders.spans import LEAD_STEPS, token_spans
from model.analysis import character_boxes


def test_a_span_runs_from_midway_to_midway() -> None:
    alignment = np.array([-1, 0, -1, 1, 1, -1, -1, -1, 2, -1, -1, -1])  # middles 1.5, 4, 8.5
    assert token_spans(alignment, 3, 0.0) == [(0.25, 2.75), (2.75, 6.25), (6.25, 10.75)]
    assert token_spans(alignment, 3, 1.5) == [(1.75, 4.25), (4.25, 7.75), (7.75, 12.0)]


def test_a_lone_character_has_the_whole_width() -> None:
    assert token_spans(np.array([-1, 0, -1, -1]), 1) == [(0.0, 4.0)]
    assert token_spans(np.array([-1, -1]), 0) == []


@given(st.lists(st.integers(0, 2), min_size=1, max_size=9), st.floats(-3, 3))
def test_spans_are_in_order_within_the_image(gaps: list[int], lead_steps: float) -> None:
    alignment = np.array([k for i, gap in enumerate(gaps) for k in [i, *[-1] * (gap + 1)]])
    edges = [edge for span in token_spans(alignment, len(gaps), lead_steps) for edge in span]
    assert edges == sorted(edges)
    assert edges[0] >= 0 and edges[-1] <= len(alignment)  # noqa: PT018


@pytest.mark.parametrize("name", ["crnn-lite", "crnn-medium"])
def test_boxes_cover_the_letters_of_rendered_lines(name: str) -> None:
    recognizer = Recognizer.load(name, threads=1, decoder="greedy", tta_threshold=0)
    overlaps, leads = character_boxes.measure(recognizer)
    assert len(overlaps) >= 200
    assert np.median(overlaps) >= 0.7
    assert np.median(leads) == pytest.approx(LEAD_STEPS, abs=0.25)


def test_the_command_prints_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert character_boxes.main(["crnn-lite"]) == 0
    assert "crnn-lite.onnx: median IoU 0." in capsys.readouterr().out
