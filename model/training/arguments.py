"""The command line of `python -m model.train`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model.network.config import CONFIGS
from model.training.schedule import SCHEDULES

MODEL = "crnn-lite"
"""The network that is trained when none is named."""

FINITE = sys.float_info.max

EXAMPLES = """
examples:
  from nothing, on rendered words alone:
    python -m model.train --out runs/lite --fonts ~/fonts --steps 100000
  rendered words and your own crops, one crop in four yours, measured on others of yours:
    python -m model.train --out runs/mixed --data crops/train=0.25 --synth 0.75 --eval crops/dev
  your own crops alone, starting from the shipped model, another charset:
    python -m model.train --out runs/meter --finetune model/weights/crnn-lite.safetensors \\
        --charset 0123456789. --data meters/train --synth 0 --eval meters/dev \\
        --steps 2000 --eval-every 200
  a quarter of the shipped network for a smaller board, with the whole one as its teacher:
    python -m model.train --out runs/half --prune model/weights/crnn-lite.safetensors \\
        --width-mult 0.5 --teacher model/weights/crnn-lite.safetensors --fonts ~/fonts
  go on after Ctrl-C, exactly as if nothing had happened:
    python -m model.train --out runs/lite --resume
  two GPUs:
    torchrun --nproc-per-node 2 -m model.train --out runs/crnn --model crnn
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser, whose help teaches."""
    parser = argparse.ArgumentParser(
        prog="python -m model.train",
        usage="%(prog)s --out DIR [options]",  # of some forty: an error is not to drown in them
        description="Train a CRNN end to end with CTC on rendered words and on your own crops.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    start = parser.add_argument_group("network")
    add = start.add_argument
    add("--model", choices=sorted(CONFIGS), help=f"(default: {MODEL})")
    add(
        "--width-mult",
        type=float,
        metavar="FACTOR",
        help="multiply its channels and hidden units (default: 1)",
    )
    add("--finetune", type=Path, metavar="CHECKPOINT", help="start from its weights and network")
    add(
        "--grow",
        type=Path,
        metavar="CHECKPOINT",
        help="start --model around the weights of this smaller network",
    )
    add(
        "--prune",
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
        "--tta-threshold",
        type=float,
        metavar="P",
        help="advise devices to read again, narrower and wider, what they read as less probable "
        "than this; 0 for never (default: 0, or as the checkpoint advises)",
    )
    add(
        "--decoder",
        metavar="NAME",
        help="advise devices to read with this decoder, such as greedy or lm (default: greedy, or "
        "as the checkpoint advises, if what it is trained on is still such text)",
    )
    add(
        "--reparam",
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
        type=weighted,
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
        help="labelled crops to measure on, none of --data (default: 500 rendered words)",
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
        metavar="STRENGTH",
        help="degradation of the --data crops and, for some, room around them, 0 for neither "
        "(default: 1)",
    )
    add(
        "--max-width",
        type=int,
        default=256,
        metavar="PX",
        help="leave out samples wider than this at the network's height: they would pad their "
        "batch (default: %(default)s)",
    )
    optim = parser.add_argument_group("optimization")
    add = optim.add_argument
    add("--steps", type=int, default=50_000, help="(default: %(default)s)")
    add("--batch", type=int, default=64, help="samples a step and process (default: %(default)s)")
    add(
        "--optimizer",
        choices=("adamw", "adadelta"),
        default="adamw",
        help="adadelta is the paper's (default: %(default)s)",
    )
    add(
        "--lr",
        type=float,
        help="peak learning rate (default: 0.002, with adadelta 1, for INT8 0.0001)",
    )
    add("--schedule", choices=SCHEDULES, default="onecycle", help="(default: %(default)s)")
    add("--weight-decay", type=float, help="(default: 0.01, with adadelta 0)")
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
        "--distill-weight",
        type=float,
        metavar="WEIGHT",
        help="how much that counts beside the text itself (default: 1)",
    )
    running = parser.add_argument_group("running")
    add = running.add_argument
    add("--device", default="auto", help="such as cuda:1 (default: cuda if there is one)")
    add("--threads", type=int, help="torch's threads on a CPU (default: torch's own)")
    add("--workers", type=int, default=1, help="rendering processes (default: %(default)s)")
    add("--eval-every", type=int, default=2000, metavar="STEPS", help="(default: %(default)s)")
    add("--save-every", type=int, default=1000, metavar="STEPS", help="(default: %(default)s)")


def split_weight(item: str) -> tuple[Path, float]:
    """The folder and the weight of a `--data DIR[=WEIGHT]`.

    A folder's own name may have a `=`: what is there under the whole name is meant.

    Raises:
        ValueError: If the weight is none.
    """
    path, equals, weight = item.rpartition("=")
    if not equals or Path(item).exists():
        return Path(item), 1.0
    try:
        number = float(weight or 1)
    except ValueError:
        number = -1.0
    if not 0 <= number <= FINITE:
        raise ValueError(
            f"{item}: {weight!r} is no weight, expected 0 or more, and no folder has the whole name"
        )
    return Path(path), number


def weighted(item: str) -> str:
    """A `--data DIR[=WEIGHT]`, as it was given."""
    try:
        split_weight(item)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return item
