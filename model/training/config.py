"""The settings of a run: from its command line, and from the run itself when it is resumed."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.training.arguments import FINITE, build_parser, split_weight
from model.training.state import read_settings

LAST = "last.safetensors"
"""The training state in a run's folder, which `--resume` reads."""

CHANGEABLE = {"resume", "out", "workers", "threads", "device", "save_every"}
"""What `--resume` may be given anew: nothing that changes what is computed."""

PATHS = ("out", "finetune", "grow", "prune", "teacher", "eval", "words")
"""The options that name one file or folder."""

REMOVED = {"guide_weight": 0.0, "augment_on": "workers"}
"""Settings of earlier versions, each with the value that had no effect."""

NUMBERS = (
    ("must be at least 1", 1, FINITE, "steps batch max_width save_every eval_every threads"),
    (
        "cannot be negative, infinite or no number",
        0,
        FINITE,
        "synth pieces lr weight_decay distill_weight workers",
    ),
    ("is a strength from 0 to 2", 0, 2, "augment"),
    ("is a probability from 0 to 1", 0, 1, "tta_threshold"),
    ("is a decay from 0 to 1", 0, 1, "ema"),
    ("is a factor from 0.05 to 4", 0.05, 4, "width_mult"),
    ("is a gradient's norm of at least 1e-6", 1e-6, FINITE, "clip"),
    ("is a whole number from 0 to 2147483647", 0, 2**31 - 1, "seed"),
)
"""What holds of numbers: in words, from what, to what, and of which options."""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Settings from a command line, and from the run itself when it is resumed."""
    return settle(build_parser(), argv)


def settle(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """What `parse` does, for the parser of any command that trains."""
    processes = int(os.environ.get("WORLD_SIZE", 1))  # torchrun says
    parser.set_defaults(command=parser.prog, processes=processes)
    settings = parser.parse_args(argv)
    if settings.out.exists() and not settings.out.is_dir():
        parser.error(f"--out {settings.out} is a file: name a folder, there already or new")
    if settings.resume:
        return _resumed(parser, settings.out / LAST, argv)
    if (settings.out / LAST).exists():
        parser.error(f"{settings.out} holds a run already: --resume it, or choose another --out")
    _check_numbers(parser, settings)
    for path, _ in map(split_weight, settings.data):
        # Not of runs that are resumed: one of before this was refused goes on.
        if settings.eval and path.resolve() == settings.eval.resolve():
            parser.error(
                f"--eval {settings.eval} is a folder of --data: crops that are trained on tell "
                "nothing about others. Divide them into two folders, or leave --eval out"
            )
    if not settings.synth and settings.eval and (settings.words or settings.fonts):
        parser.error("--words and --fonts are of rendered words: with --synth 0 there are none")
    if settings.augment is not None and not settings.data:
        parser.error("--augment is of --data crops: name some. Rendered words are degraded anyway")
    if settings.augment is None:
        settings.augment = 1.0
    if settings.distill_weight is not None and not settings.teacher:
        parser.error("--distill-weight is of a --teacher: name one")
    if settings.distill_weight is None:
        settings.distill_weight = 1.0
    if settings.lr is None:  # ADADELTA finds its steps itself
        settings.lr = 2e-3 if settings.optimizer == "adamw" else 1.0
    if settings.weight_decay is None:  # the paper's ADADELTA has none
        settings.weight_decay = 1e-2 if settings.optimizer == "adamw" else 0.0
    if processes > 1 and ":" in settings.device:
        parser.error(f"--device {settings.device} would be that of all {processes} processes")
    if settings.finetune and (settings.model, settings.width_mult) != (None, None):
        parser.error("--finetune brings its own network: leave --model and --width-mult out")
    starts = (settings.finetune, settings.grow, settings.prune)
    if sum(start is not None for start in starts) > 1:
        parser.error("--finetune, --grow and --prune each name a start: give one of them")
    if settings.pieces and not settings.data:
        parser.error("--pieces are cut out of --data crops: name some")
    if settings.pieces and not any(starts):
        parser.error(
            "--pieces are cut by a network that reads already: --finetune, --grow or --prune "
            "names it"
        )
    return settings


def _resumed(
    parser: argparse.ArgumentParser, path: Path, argv: Sequence[str] | None
) -> argparse.Namespace:
    """The settings of the run in `path`, with what may be changed taken from `argv`."""
    saved = {"command": parser.prog} | read_settings(path)  # runs of earlier versions name none
    for name, unused in REMOVED.items():
        if saved.pop(name, unused) != unused:
            parser.error(
                f"the run in {path.parent} was started with --{name.replace('_', '-')}, which no "
                "longer exists: start a new run with --finetune"
            )
    if saved["command"] != parser.prog:
        parser.error(f"{path.parent} holds a run of `{saved['command']}`: resume it with that")
    defaults: dict[str, Any] = dict(parser._defaults)
    now = defaults["processes"]
    if (then := saved.get("processes", now)) != now:
        parser.error(
            f"the run in {path.parent} has {then} process{'es' * (then > 1)}, not {now}: "
            f"its batches would be others. Start it with torchrun --nproc-per-node {then}"
        )
    parser._defaults.clear()
    for action in parser._actions:
        defaults[action.dest], action.default = action.default, argparse.SUPPRESS
    given = vars(parser.parse_args(argv))
    # Where an optional positional is left out, argparse converts its default even if there is none.
    explicit = {name: value for name, value in given.items() if str(value) != argparse.SUPPRESS}
    for name, value in explicit.items():
        if name not in CHANGEABLE and _kept(name, value) != _kept(name, saved.get(name)):
            parser.error(
                f"--{name.replace('_', '-')} {value} contradicts the run in {path.parent}, which "
                f"has {saved.get(name)}: leave it out, or start a new run with --finetune"
            )
    merged = defaults | saved | explicit
    for name in PATHS:
        merged[name] = Path(merged[name]) if merged[name] is not None else None
    merged["fonts"] = [Path(p) for p in merged["fonts"]]
    settings = argparse.Namespace(**{k: v for k, v in merged.items() if k != "help"})
    _check_numbers(parser, settings)
    return settings


def _check_numbers(parser: argparse.ArgumentParser, settings: argparse.Namespace) -> None:
    for rule, least, most, names in NUMBERS:
        for name in names.split():
            value = getattr(settings, name)
            if value is not None and not least <= value <= most:  # as nothing is to nan
                parser.error(f"--{name.replace('_', '-')} {rule}, got {value}")


def kept(settings: argparse.Namespace) -> dict[str, Any]:
    """The settings as a run keeps them: as JSON can hold them, with paths that hold anywhere."""
    return {k: _kept(k, value) for k, value in vars(settings).items() if k != "resume"}


def _kept(name: str, value: Any) -> Any:
    if name == "data":
        given = map(split_weight, value or [])
        return [f"{path.absolute()}={weight!r}" for path, weight in given]
    if name == "fonts":
        return [str(Path(path).absolute()) for path in value or []]
    if name == "charset" and value and value != "@" and value.startswith("@"):
        return f"@{Path(value[1:]).absolute()}"
    return str(Path(value).absolute()) if name in PATHS and value is not None else value
