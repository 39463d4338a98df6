"""What a run says when it ends: how to go on."""

from __future__ import annotations

import argparse
import shlex


def go_on(settings: argparse.Namespace) -> str:
    """How a run that stopped early goes on."""
    return f"go on with `{settings.command} --out {shlex.quote(str(settings.out))} --resume`"


def finished(settings: argparse.Namespace) -> str:
    """What is said where a run is resumed that has nothing left to do."""
    return (
        f"the run in {settings.out} is finished: it had its {settings.steps} steps. To train its "
        f"network further, start a new run from {settings.out / 'best.safetensors'}: "
        "--finetune names it"
    )
