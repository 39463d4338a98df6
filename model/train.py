"""Train a CRNN end to end with CTC: `python -m model.train --help`.

Graves et al. (2006) for the loss, Shi, Bai & Yao (2015) for the network. A run is a folder:
`last.safetensors` (the training state, for `--resume`), the checkpoints `best.safetensors` (the
averaged weights with the highest exact accuracy on `--eval`, or the same with a lower CER) and
`final.safetensors` (those of the last step), `log.jsonl` and `curve.png`.

In Python: `model.training.trainer.train(TrainConfig(...))`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from crnn_edge.cli.run import run_command
from model.json_config import ConfigError
from model.training.arguments import build_parser, config_from
from model.training.config import TrainConfig

EXAMPLES = """
examples:
  from scratch, on rendered words alone:
    python -m model.train --out runs/lite --fonts ~/fonts --steps 100000
  rendered words and your own crops, one crop in four yours, evaluated on others of yours:
    python -m model.train --out runs/mixed --data crops/train=0.25 --synth 0.75 --eval crops/dev
  your own crops alone, starting from the bundled checkpoint, another charset:
    python -m model.train --out runs/meter --finetune crnn-lite --charset 0123456789. \\
        --data meters/train --synth 0 --eval meters/dev --steps 2000 --eval-every 200
  a quarter of the bundled network for a smaller board, distilled from all of it:
    python -m model.train --out runs/half --prune crnn-lite --width-mult 0.5 \\
        --teacher crnn-lite --fonts ~/fonts
  license plates whose labels leave out dashes and spaces:
    python -m model.train --out runs/plates --finetune crnn-lite --synth 0.5 \\
        --data 'plates/train=0.5,unlabelled= -.·' --eval plates/dev
  continue after Ctrl-C, exactly as if nothing had happened:
    python -m model.train --out runs/lite --resume
  two GPUs:
    torchrun --nproc-per-node 2 -m model.train --out runs/crnn --model crnn
"""


def parse(argv: Sequence[str] | None = None) -> tuple[TrainConfig, bool]:
    """The settings of a command line, and whether it resumes a run."""
    defaults = TrainConfig()
    parser = build_parser(
        defaults,
        prog=defaults.command,
        usage="%(prog)s --out DIR [options]",
        description="Train a CRNN end to end with CTC on rendered words and on your own crops.",
        epilog=EXAMPLES,
        init=True,
    )
    options = parser.parse_args(argv)
    try:
        return config_from(options, defaults), options.resume
    except ConfigError as error:
        parser.error(str(error))


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m model.train`."""
    config, resume = parse(argv)

    def work() -> int:
        from model.training.trainer import train  # imports torch

        return train(config, resume=resume).exit_code

    return run_command(work, extra="train")


if __name__ == "__main__":
    sys.exit(main())
