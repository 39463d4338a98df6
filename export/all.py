"""A checkpoint in every format, each file verified: `python -m export.all --int8`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from crnn_edge.cli.run import run_command
from export.arguments import add_checkpoint
from export.config import BUILD_FOLDER, ExportConfig
from quantize.arguments import add_quantization, add_verification, to_config
from quantize.tables import overview

EXAMPLES = f"""\
examples:
  python -m export.all                    the shipped crnn-lite in FP32, into {BUILD_FOLDER}/
  python -m export.all --int8             the same, and INT8
  python -m export.all runs/meter/best.safetensors --int8 --calibration meter-crops --out meter
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `python -m export.all`."""
    parser = argparse.ArgumentParser(
        prog="python -m export.all",
        description="Write a checkpoint in every format, in FP32 and, with --int8, INT8. Verify\n"
        "each file against the checkpoint and print one table of all. A file that is less\n"
        "accurate than --max-drop allows is not written, the others are: exit code 1.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_checkpoint(parser)
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        default=BUILD_FOLDER,
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "--allow-absent",
        action="store_true",
        help="leave out formats whose engine is not installed, without failing",
    )
    add_verification(parser)
    add_quantization(parser)
    options = parser.parse_args(arguments)
    if options.out.exists() and not options.out.is_dir():
        parser.error(f"invalid --out {options.out}: it is a file, expected a folder")
    config = to_config(parser, options, ExportConfig)

    def work() -> None:
        from export.all_formats import export_all  # torch takes seconds to import

        result = export_all(options.checkpoint, config)
        if options.json:
            facts = {
                "files": list(map(str, result.files)),
                "verified": [comparison.to_dict() for comparison in result.comparisons],
                "absent": result.absent,
                "failed": result.failed,
            }
            print(json.dumps(facts))
        else:
            if result.comparisons:
                print(overview(result.comparisons, result.num_parameters))
            names = ", ".join(path.name for path in result.files)
            print(f"\nwrote {len(result.files)} models to {options.out}: {names}")
        result.check(allow_absent=options.allow_absent)

    return run_command(work, extra="export")


if __name__ == "__main__":
    sys.exit(main())
