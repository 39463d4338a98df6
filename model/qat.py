"""Fine-tune a checkpoint for INT8 (QAT), the last resort: `python -m model.qat --help`.

In Python: `model.training.qat.train_quantized(TrainConfig(...))`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from crnn_edge.cli.run import run_command
from model.json_config import ConfigError
from model.network.bundled import DEFAULT_CHECKPOINT, find_checkpoint
from model.training.arguments import build_parser, config_from
from model.training.config import InitConfig, OptimizerConfig, TrainConfig

EXAMPLES = """
examples:
  python -m model.qat runs/meter/best.safetensors --out runs/meter-qat --synth 0 \\
      --data meters/train --eval meters/dev
  python -m export.all runs/meter-qat/best.safetensors --int8 --validation meters/dev
"""

DEFAULTS = TrainConfig(
    # INT8 files contain fused convolutions, so it is these that are rounded in training.
    init=InitConfig(finetune=DEFAULT_CHECKPOINT, reparam=False),
    # A short run in small steps, without the additional rounding of bf16.
    optim=OptimizerConfig(steps=2000, lr=1e-4, schedule="cosine"),
    amp="fp32",
    eval_every=500,
    command="python -m model.qat",
)


def parse(argv: Sequence[str] | None = None) -> tuple[TrainConfig, bool]:
    """The settings of a command line, and whether it resumes a run."""
    parser = build_parser(
        DEFAULTS,
        prog=DEFAULTS.command,
        usage="%(prog)s [CHECKPOINT] --out DIR [options]",
        description="Fine-tune a checkpoint with quantization-aware training, so that it loses\n"
        "less accuracy when its convolutions become INT8. A last resort: `python -m export.all\n"
        "--int8` usually loses at most 0.5 points. The result is a checkpoint for all\n"
        "exporters. RepVGG branches are fused first.",
        epilog=EXAMPLES,
        init=False,
    )
    parser.add_argument(
        "finetune",
        metavar="CHECKPOINT",
        nargs="?",
        type=find_checkpoint,
        help="a trained network, or the name of a bundled one (default: crnn-lite)",
    )
    options = parser.parse_args(argv)
    if options.finetune is None:  # argparse applies `type` to a default, so it has none
        del options.finetune
    try:
        return config_from(options, DEFAULTS), options.resume
    except ConfigError as error:
        parser.error(str(error))


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m model.qat`."""
    config, resume = parse(argv)

    def work() -> int:
        from model.training.qat import train_quantized  # imports torch

        result = train_quantized(config, resume=resume)
        if result.scores:
            print(result.table())
        return result.run.exit_code

    return run_command(work, extra="train")


if __name__ == "__main__":
    sys.exit(main())
