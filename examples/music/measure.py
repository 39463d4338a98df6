"""Measure how well music is read: exact lines and symbol error rate, as read and by the rules.

python examples/music/measure.py scores/dev scores/other
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # works in a clone, not installed

from tqdm import tqdm

from crnn_edge.cli.arguments import documented_parser
from crnn_edge.cli.run import run_command
from crnn_edge.labels import LabelledFolder
from crnn_edge.metrics import score
from examples.music.read import MODEL, load, most_musical
from examples.music.signs import CHARSET

_BATCH = 16


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = documented_parser(__doc__)
    add = parser.add_argument
    add("data", type=Path, nargs="+", metavar="DIR", help="labelled pictures, of engrave.py")
    add("--model", type=Path, default=MODEL, metavar="FILE", help="(default: %(default)s)")
    add("--threads", type=int, help="(default: all cores)")
    args = parser.parse_args(argv)

    def work() -> None:
        recognizer = load(args.model, args.threads)
        for folder in args.data:
            samples = LabelledFolder(folder)
            readings = []
            for start in tqdm(range(0, len(samples), _BATCH), unit="batch", disable=None):
                stop = min(len(samples), start + _BATCH)
                readings += recognizer.batch([samples[i][0] for i in range(start, stop)])
            for name, texts in (
                ("likeliest", [reading.text for reading in readings]),
                ("keeping time", [most_musical(reading).text for reading in readings]),
            ):
                found = score(samples.texts, texts, CHARSET)
                print(f"{folder}\t{name}\tn={found.n}\texact {found.exact}\tSER {found.cer}")

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())
