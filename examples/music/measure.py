"""Measure accuracy on music: exact lines and symbol error rate (SER), without and with rules.

python -m examples.music.measure scores/dev scores/other
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from crnn_edge.cli.arguments import documented_parser
from crnn_edge.cli.run import run_command
from crnn_edge.labels import LabelledFolder
from crnn_edge.metrics import score
from examples.music.read import MODEL, load, most_musical
from examples.music.symbols import CHARSET

_BATCH = 16


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = documented_parser(__doc__)
    add = parser.add_argument
    add("data", type=Path, nargs="+", metavar="DIR", help="labelled images, as engrave writes them")
    add("--model", type=Path, default=MODEL, metavar="FILE", help="(default: %(default)s)")
    add("--threads", type=int, help="(default: all cores)")
    args = parser.parse_args(argv)

    def work() -> None:
        recognizer = load(args.model, args.threads)
        for folder in args.data:
            samples = LabelledFolder(folder)
            recognitions = []
            for start in tqdm(range(0, len(samples), _BATCH), unit="batch", disable=None):
                stop = min(len(samples), start + _BATCH)
                recognitions += recognizer.batch([samples[i][0] for i in range(start, stop)])
            for name, texts in (
                ("most probable", [found.text for found in recognitions]),
                ("fills its measures", [most_musical(found).text for found in recognitions]),
            ):
                result = score(samples.texts, texts, CHARSET)
                print(f"{folder}\t{name}\tn={result.n}\texact {result.exact}\tSER {result.cer}")

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())
