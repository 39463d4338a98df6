"""What a run says when it ends: what it leaves, and how to go on."""

from __future__ import annotations

import argparse
import shlex


def go_on(settings: argparse.Namespace) -> str:
    """How a run that stopped early goes on."""
    return f"go on with `{settings.command} --out {shlex.quote(str(settings.out))} --resume`"


def finished(settings: argparse.Namespace) -> str:
    """What a run that had all its steps leaves, and what to do with it."""
    best = settings.out / "best.safetensors"
    return (
        f"the run in {settings.out} is finished: it had its {settings.steps} steps. {best} reads "
        f"most of what it was measured on; final.safetensors is its end, and curve.png its course. "
        f"Next: `python -m export.onnx {shlex.quote(str(best))} --int8`, or --finetune {best} to "
        "train its network further"
    )
