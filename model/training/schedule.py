"""Learning-rate schedules, as a factor on the peak rate by step."""

from __future__ import annotations

import math

SCHEDULES = ("onecycle", "cosine", "constant")


def lr_factor(step: int, steps: int, schedule: str) -> float:
    """The learning rate at `step` of `steps`, as a fraction of its peak.

    `onecycle` (Smith & Topin 2018) rises along a cosine for a fifth of the run and falls along
    one to 1e-4; `cosine` (Loshchilov & Hutter 2017) warms up linearly for 2 % of it, at most 500
    steps, and falls to 1e-2; `constant` stays at the peak after the same warm-up.

    Raises:
        ValueError: If there is no such schedule.
    """
    progress = step / max(1, steps)
    if schedule == "onecycle":
        if progress < 0.2:
            return 0.04 + 0.96 * (1 - math.cos(math.pi * progress / 0.2)) / 2
        return 1e-4 + (1 - 1e-4) * (1 + math.cos(math.pi * (progress - 0.2) / 0.8)) / 2
    rise = min(1.0, (step + 1) / max(1.0, min(500.0, 0.02 * steps)))
    if schedule == "cosine":
        return rise * (1e-2 + (1 - 1e-2) * (1 + math.cos(math.pi * min(1.0, progress))) / 2)
    if schedule == "constant":
        return rise
    raise ValueError(f"unknown schedule {schedule!r}: expected one of {', '.join(SCHEDULES)}")
