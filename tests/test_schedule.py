"""Learning rates by hand: shares of the peak at some steps of a run."""

from __future__ import annotations

import pytest

from model.training.schedule import lr_factor


@pytest.mark.parametrize(
    ("schedule", "steps", "expected"),
    [
        # Up a cosine from 0.04: a quarter of the way it has risen by (1 - cos 45°) / 2.
        ("onecycle", 1000, {0: 0.04, 50: 0.180589, 100: 0.52, 150: 0.859411, 200: 1.0}),
        # And down another one to 1e-4: halfway is 0.50005.
        ("onecycle", 1000, {400: 0.853568, 600: 0.50005, 800: 0.146532, 1000: 1e-4}),
        # Up a straight line, here of 20 steps and there of 500; down to 1e-2.
        ("cosine", 1000, {0: 0.05, 9: 0.499901, 500: 0.505, 750: 0.154983, 1000: 0.01}),
        ("cosine", 100_000, {249: 0.499992, 50_000: 0.505, 100_000: 0.01}),
        ("constant", 1000, {0: 0.05, 9: 0.5, 19: 1.0, 1000: 1.0}),
        ("constant", 10, {0: 1.0, 10: 1.0}),
    ],
)
def test_rates_rise_and_fall_as_is_told(
    schedule: str, steps: int, expected: dict[int, float]
) -> None:
    for step, factor in expected.items():
        assert lr_factor(step, steps, schedule) == pytest.approx(factor, rel=1e-4), step


def test_an_unknown_schedule_is_told_what_there_is() -> None:
    with pytest.raises(ValueError, match="unknown schedule 'linear': expected one of onecycle, co"):
        lr_factor(0, 10, "linear")
