"""Finished model files against the checkpoint they came from, on crops of your own.

Example: `python -m export.verify FILE … --validation my-crops`

Exit code 0 if no file is less accurate than --max-drop allows, the logits of FP32 files differ by
rounding alone, and every self-test passes; else 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from crnn_edge.backends import find_model
from crnn_edge.cli.run import run_command
from quantize.arguments import add_verification, to_config
from quantize.comparison import VerificationError
from quantize.config import QuantizationConfig
from quantize.tables import overview
from quantize.verify import TOLERANCE

EXAMPLES = """\
examples:
  python -m export.verify build/crnn-lite-int8.onnx
  python -m export.verify build/crnn-lite* --validation real-crops
  python -m export.verify crnn-medium --checkpoint crnn-medium
  python -m export.verify meter.onnx --checkpoint runs/meter/best.safetensors \\
      --validation meters/dev
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `python -m export.verify`."""
    parser = argparse.ArgumentParser(
        prog="python -m export.verify",
        description="Compare model files of any format with the checkpoint they came from, crop\n"
        "by crop, and run their self-tests. Exit code 1 if one is less accurate than\n"
        "--max-drop allows, fails its self-test or, being FP32, has logits that differ by\n"
        f"more than {TOLERANCE:g}.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        type=find_model,
        help="model files, or names of bundled models; the .bin of an .xml is skipped",
    )
    parser.add_argument(
        "--checkpoint",
        default="crnn-lite",
        help="a checkpoint (.safetensors), or the name of a shipped one (default: %(default)s)",
    )
    add_verification(parser)
    options = parser.parse_args(arguments)
    config = to_config(parser, options, QuantizationConfig)

    def work() -> None:
        from export.verify_files import verify_files  # torch takes seconds to import

        result = verify_files(options.files, options.checkpoint, config)
        if options.json:
            print("\n".join(json.dumps(each.to_dict()) for each in result.comparisons))
        else:
            print(overview(result.comparisons, result.num_parameters))
        if result.faults:
            raise VerificationError("\n".join(result.faults))

    return run_command(work, extra="export")


if __name__ == "__main__":
    sys.exit(main())
