"""The command line of `python -m model.train`, and what a resumed run may change of it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.config import CONFIGS
from model.schedule import SCHEDULES
from model.state import read_settings

MODEL = "crnn-lite"
"""The network that is trained when none is named."""

LAST = "last.safetensors"
"""The training state in a run's folder, which `--resume` reads."""

CHANGEABLE = {"resume", "out", "workers", "threads", "device", "save_every"}
"""What `--resume` may be given anew: nothing that changes what is computed."""

FINITE = sys.float_info.max

NUMBERS = (
    ("must be at least 1", 1, FINITE, "steps batch max_width save_every eval_every threads"),
    (
        "cannot be negative, infinite or no number",
        0,
        FINITE,
        "synth pieces lr weight_decay teacher_weight guide_weight workers",
    ),
    ("is a strength from 0 to 2", 0, 2, "augment"),
    ("is a probability from 0 to 1", 0, 1, "look_again"),
    ("is a decay from 0 to 1", 0, 1, "ema"),
    ("is a factor from 0.05 to 4", 0.05, 4, "width"),
    ("is a gradient's norm of at least 1e-6", 1e-6, FINITE, "clip"),
    ("is a whole number from 0 to 2147483647", 0, 2**31 - 1, "seed"),
)
"""What holds of numbers: in words, from what, to what, and of which options."""

EXAMPLES = """
examples:
  from nothing, on rendered words alone:
    python -m model.train --out runs/lite --fonts ~/fonts --steps 100000
  rendered words and your own crops, one crop in four yours, measured on others of yours:
    python -m model.train --out runs/mixed --data crops/train=0.25 --synth 0.75 --eval crops/dev
  your own crops alone, starting from the shipped model, another charset:
    python -m model.train --out runs/meter --finetune model/weights/crnn-lite.safetensors \\
        --charset 0123456789. --data meters/train --synth 0 --eval meters/dev --steps 2000
  a quarter of the shipped network for a smaller board, with the whole one as its teacher:
    python -m model.train --out runs/half --shrink model/weights/crnn-lite.safetensors \\
        --width 0.5 --teacher model/weights/crnn-lite.safetensors --fonts ~/fonts
  go on after Ctrl-C, exactly as if nothing had happened:
    python -m model.train --out runs/lite --resume
  two GPUs:
    torchrun --nproc-per-node 2 -m model.train --out runs/crnn --model crnn
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser, whose help teaches."""
    parser = argparse.ArgumentParser(
        prog="python -m model.train",
        description="Train a CRNN end to end with CTC on rendered words and on your own crops.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    start = parser.add_argument_group("network")
    add = start.add_argument
    add("--model", choices=sorted(CONFIGS), help=f"(default: {MODEL})")
    add(
        "--width",
        type=float,
        metavar="TIMES",
        help="its channels and units, times this (default: 1)",
    )
    add("--finetune", type=Path, metavar="CHECKPOINT", help="start from its weights and network")
    add(
        "--grow",
        type=Path,
        metavar="CHECKPOINT",
        help="start --model around the weights of this smaller network",
    )
    add(
        "--shrink",
        type=Path,
        metavar="CHECKPOINT",
        help="start --model from those units of this larger network that do most",
    )
    add(
        "--charset",
        metavar="CHARS|@FILE",
        help="characters to read, or a file with one token a "
        "line (default: printable ASCII, or that of the checkpoint)",
    )
    add(
        "--look-again",
        type=float,
        metavar="P",
        help="advise devices to read again, narrower and wider, what they read as less probable "
        "than this; 0 for never (default: 0, or as the checkpoint advises)",
    )
    add(
        "--branches",
        action="store_true",
        default=None,  # neither added nor merged
        help="train a 1x1 convolution and, where channels allow, the input itself beside each 3x3 "
        "convolution; exporting merges them. To a checkpoint without them they are added so that "
        "it reads as before; one that has them keeps them, with this option or without",
    )
    add_training(parser)
    return parser


def add_training(parser: argparse.ArgumentParser) -> None:
    """The options of every command that trains: all but those of the network."""
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="where the run keeps its files")
    add("--resume", action="store_true", help="go on exactly where the run in --out stopped")
    data = parser.add_argument_group("data")
    add = data.add_argument
    add(
        "--synth",
        type=float,
        default=1.0,
        metavar="WEIGHT",
        help="share of rendered words in the mixture (default: %(default)s)",
    )
    add(
        "--data",
        action="append",
        default=[],
        type=_weighted,
        metavar="DIR[=WEIGHT]",
        help="a folder with labels.tsv or labels.csv, or an LMDB; repeatable (weight: 1)",
    )
    add(
        "--pieces",
        type=float,
        default=0.0,
        metavar="WEIGHT",
        help="share of words newly made of pieces of the --data crops, which the network of the "
        "checkpoint that is started from cuts between their characters (default: %(default)s)",
    )
    add(
        "--eval",
        type=Path,
        metavar="DIR",
        help="labelled crops to measure on, never trained on (default: 500 rendered words)",
    )
    add(
        "--unknown",
        choices=("error", "skip"),
        default="error",
        help="labels that the charset cannot spell (default: %(default)s)",
    )
    add(
        "--fonts",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="folders of fonts besides the system's; repeatable",
    )
    add("--words", type=Path, metavar="FILE", help="words to render, one a line")
    add(
        "--augment",
        type=float,
        default=1.0,
        metavar="STRENGTH",
        help="degradation of the --data crops, 0 for none (default: %(default)s)",
    )
    add(
        "--augment-on",
        choices=("auto", "workers", "device"),
        default="auto",
        help="degrade single pictures in the rendering processes, or whole batches on the device "
        "that trains, so that those only render (default: device on CUDA, else workers)",
    )
    add(
        "--max-width",
        type=int,
        default=256,
        metavar="PX",
        help="leave out samples wider than this at the network's height: they would pad their "
        "batch (default: %(default)s)",
    )
    optim = parser.add_argument_group("optimisation")
    add = optim.add_argument
    add("--steps", type=int, default=50_000, help="(default: %(default)s)")
    add("--batch", type=int, default=64, help="samples a step and process (default: %(default)s)")
    add(
        "--optimizer",
        choices=("adamw", "adadelta"),
        default="adamw",
        help="adadelta is the paper's (default: %(default)s)",
    )
    add("--lr", type=float, default=2e-3, help="peak learning rate (default: %(default)s)")
    add("--schedule", choices=SCHEDULES, default="onecycle", help="(default: %(default)s)")
    add("--weight-decay", type=float, default=1e-2, help="(default: %(default)s)")
    add("--clip", type=float, default=5.0, help="largest gradient norm (default: %(default)s)")
    add("--ema", type=float, default=0.9995, help="decay of the average (default: %(default)s)")
    add(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16"),
        default="auto",
        help="auto: bf16 where the device computes it natively (default: %(default)s)",
    )
    add("--seed", type=int, default=1, help="(default: %(default)s)")
    add(
        "--teacher",
        type=Path,
        metavar="CHECKPOINT",
        help="draw the readings, step by step, to those of this larger network",
    )
    add(
        "--teacher-weight",
        type=float,
        default=1.0,
        metavar="WEIGHT",
        help="how much that counts beside the text itself (default: %(default)s)",
    )
    add(
        "--guide-weight",
        type=float,
        default=0.0,
        metavar="WEIGHT",
        help="train a second head along, which finds each character by its neighbours in the text, "
        "so that the columns learn of these, too; how much its loss counts beside CTC's, 0 for no "
        "such head. Checkpoints leave it out (default: %(default)s)",
    )
    running = parser.add_argument_group("running")
    add = running.add_argument
    add("--device", default="auto", help="cpu, cuda, … (default: cuda if there is one)")
    add("--threads", type=int, help="torch's threads on a CPU (default: torch's own)")
    add("--workers", type=int, default=1, help="rendering processes (default: %(default)s)")
    add("--eval-every", type=int, default=2000, metavar="STEPS", help="(default: %(default)s)")
    add("--save-every", type=int, default=1000, metavar="STEPS", help="(default: %(default)s)")


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Settings from a command line, and from the run itself when it is resumed."""
    return settle(build_parser(), argv)


def settle(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """What `parse` does, for the parser of any command that trains."""
    processes = int(os.environ.get("WORLD_SIZE", 1))  # torchrun says
    parser.set_defaults(command=parser.prog, processes=processes)
    settings = parser.parse_args(argv)
    if settings.resume:
        return _resumed(parser, settings.out / LAST, argv)
    if (settings.out / LAST).exists():
        parser.error(f"{settings.out} holds a run already: --resume it, or choose another --out")
    _check_numbers(parser, settings)
    if settings.finetune and (settings.model, settings.width) != (None, None):
        parser.error("--finetune brings its own network: leave --model and --width out")
    starts = (settings.finetune, settings.grow, settings.shrink)
    if sum(start is not None for start in starts) > 1:
        parser.error("--finetune, --grow and --shrink each name a start: give one of them")
    if settings.pieces and not settings.data:
        parser.error("--pieces are cut out of --data crops: name some")
    if settings.pieces and not any(starts):
        parser.error(
            "--pieces are cut by a network that reads already: --finetune, --grow or --shrink "
            "names it"
        )
    return settings


def _resumed(
    parser: argparse.ArgumentParser, path: Path, argv: Sequence[str] | None
) -> argparse.Namespace:
    """The settings of the run in `path`, with what may be changed taken from `argv`."""
    # What runs of earlier versions, which say neither, were.
    saved = {"command": parser.prog, "augment_on": "workers"} | read_settings(path)
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
        if name not in CHANGEABLE and jsonable(value) != saved.get(name):
            parser.error(
                f"--{name.replace('_', '-')} {value} contradicts the run in {path.parent}, which "
                f"has {saved.get(name)}: leave it out, or start a new run with --finetune"
            )
    merged = defaults | saved | explicit
    for name in ("out", "finetune", "grow", "shrink", "teacher", "eval", "words"):
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


def _weighted(item: str) -> str:
    """A `--data DIR[=WEIGHT]`, as it was given."""
    _, _, weight = item.partition("=")
    try:
        good = 0 <= float(weight or 1) <= FINITE
    except ValueError:
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"{item}: {weight!r} is no weight, expected 0 or more")
    return item


def jsonable(value: Any) -> Any:
    """A setting as JSON can hold it."""
    if isinstance(value, list):
        return [jsonable(v) for v in value]
    return str(value) if isinstance(value, Path) else value
