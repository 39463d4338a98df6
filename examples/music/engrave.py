r"""Make labelled images of random scores, to train and to measure on.

python -m examples.music.engrave --out scores/train --count 20000 \
    --fonts Bravura Gootville Leipzig Petaluma
python -m examples.music.engrave --out scores/dev --count 500 --seed 2 --fonts Leland
python -m examples.music.engrave --out scores/other --count 300 --seed 3 --engraver abcm2ps
python -m examples.music.engrave --out songs --scores songs.txt

The folder gets the images, `labels.tsv` and `symbols.txt`, one symbol a line, for
`python -m model.train --charset @scores/train/symbols.txt`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from crnn_edge.cli.arguments import documented_parser
from crnn_edge.cli.run import run_command
from examples.music import engravers
from examples.music.compose import compose
from examples.music.score import ScoreError, parse
from examples.music.symbols import CHARSET
from model.data.render.geometry import Pixels
from model.data.write import write_folder

ENGRAVERS = ("verovio", "abcm2ps")
_COUNT = 1000  # images
_ABOVE, _BESIDE = 0.3, 0.5  # heights of the ink: maximum margin
_FADED = 0.4  # how often ink is not black, or paper not white
_BEAMS = 0.8  # how often a beat's short notes are joined


@dataclass(frozen=True)
class Engraved:
    """Images of scores, by number: `source[i] -> (image, text)`.

    Attributes:
        seed: An image depends on the seed and its number only.
        engraver: Name of the program that draws.
        fonts: Of verovio.
        texts: What is drawn, in order; empty for random scores.
    """

    seed: int
    engraver: str = ENGRAVERS[0]
    fonts: tuple[str, ...] = engravers.FONTS
    texts: tuple[str, ...] = ()

    def __getitem__(self, index: int) -> tuple[Pixels, str]:
        """Sample `index`, `uint8 (H, W)`."""
        rng = np.random.default_rng((self.seed, index))
        score = parse(CHARSET.split(self.texts[index])) if self.texts else compose(rng)
        abc = score.abc(beams=bool(self.texts) or rng.random() < _BEAMS, measure_rests=False)
        if self.engraver == "verovio":
            ink = engravers.verovio(abc, rng, self.fonts)
        else:
            ink = engravers.abcm2ps(abc, rng)
        return _printed(ink, rng), CHARSET.join(score.symbols())


def _printed(ink: Pixels, rng: np.random.Generator) -> Pixels:
    """A drawing with random margins, some on gray paper in gray ink."""
    height = len(ink)
    above, below = (_ABOVE * height * rng.random(2)).astype(int).tolist()
    left, right = (_BESIDE * height * rng.random(2) ** 2).astype(int).tolist()
    sheet: Pixels = cv2.copyMakeBorder(
        ink, above, below, left, right, cv2.BORDER_CONSTANT, value=[255]
    )
    if rng.random() < _FADED:
        dark, light = 90 * rng.random(), 255 - 85 * rng.random()
        gray = np.linspace(dark, light, 256).astype(np.uint8)
        sheet = cv2.LUT(sheet, gray)
    return sheet


def _scores(path: Path) -> tuple[str, ...]:
    """The scores in a file.

    Raises:
        ScoreError: If a line is not a score, or there is none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ScoreError(f"cannot read {path} as UTF-8 text: {error}") from None
    texts = []
    for number, line in enumerate(lines, start=1):
        if not (symbols := line.split()):
            continue
        try:
            parse(symbols)
        except ScoreError as error:
            raise ScoreError(f"{path}, line {number}: {error}") from None
        texts.append(CHARSET.join(symbols))
    if not texts:
        raise ScoreError(f"{path} contains no score: expected symbols, a score a line")
    return tuple(texts)


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = documented_parser(__doc__)
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    add("--count", type=int, help=f"images (default: {_COUNT})")
    add("--seed", type=int, default=1, help="(default: %(default)s)")
    add("--engraver", choices=ENGRAVERS, default=ENGRAVERS[0], help="(default: %(default)s)")
    add(
        "--fonts",
        nargs="+",
        choices=engravers.FONTS,
        help="of verovio (default: all)",
    )
    add(
        "--scores",
        type=Path,
        metavar="FILE",
        help="draw these instead of random ones: symbols, a score a line, as read --symbols prints",
    )
    add("--workers", type=int, default=1, help="processes (default: %(default)s)")
    args = parser.parse_args(argv)
    if args.scores and args.count is not None:
        parser.error("--count and --scores exclude each other: each score is drawn once")
    if args.fonts and args.engraver != ENGRAVERS[0]:
        parser.error(f"--fonts needs --engraver {ENGRAVERS[0]}")
    count, fonts = _COUNT if args.count is None else args.count, args.fonts or engravers.FONTS
    if min(count, args.workers) < 1 or args.seed < 0:
        parser.error("expected --count and --workers above 0, and --seed of 0 or more")

    def work() -> None:
        texts = _scores(args.scores) if args.scores else ()
        source = Engraved(args.seed, args.engraver, tuple(fonts), texts)
        symbols = {"symbols.txt": "".join(f"{symbol}\n" for symbol in CHARSET.tokens)}
        images = len(texts) or count
        write_folder(source, images, args.out, args.workers, name="score", beside=symbols)

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())
