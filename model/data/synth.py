"""An endless, repeatable set of rendered words: item i is the same in whichever process.

`Synth(find_faces(["fonts"]), TextSource(None, Charset.ascii()), seed=1)[0]` is an image and its
text. On the command line, `python -m model.data.synth` shows, writes or times them, and pictures
of a style (`model.data.render.styles`) likewise.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crnn_edge.charset import Charset
from crnn_edge.cli.run import run_command
from crnn_edge.errors import CrnnError
from model.analysis.contact_sheet import Cell, Span, check_sheet, contact_sheet
from model.data import fontsource
from model.data.augment.corruptions import Augment
from model.data.datasets import Source
from model.data.fonts import Face, find_faces
from model.data.render.styles import StyledText, load_style, scene, style_names
from model.data.text.requested import Texts, add_texts, requested_texts
from model.data.write import write_folder, write_lmdb

_EVERYDAY = 5.0  # how much more often an everyday family is drawn than another
_DISPLAYS = 0.12  # how often a number is set in a face that has nothing but digits
_NUMERIC = frozenset("0123456789:.-")
_SHOWN = 96  # pictures on a sheet
_TRIES = 200  # faces to look for one that can draw a text
_PRINTED = 0.55  # how often a line of several words is set in a face of books and forms
_WORDS = 3  # of a line, at least
_BOOKISH = frozenset((
    "arimo", "arvo", "bitter", "caladea", "cardo", "courier-prime", "cousine", "crimson-text",
    "dejavuserif", "domine", "eb-garamond", "esteban", "freeserif", "gelasio", "gentium-book-plus",
    "gfs-didot", "ibm-plex-serif", "im-fell-english", "liberationmono", "liberationsans",
    "liberationserif", "libre-baskerville", "libre-caslon-text", "lora", "merriweather",
    "newsreader", "noto-serif", "old-standard-tt", "playfair-display", "pt-serif", "quattrocento",
    "roboto", "roboto-slab", "source-serif-4", "special-elite", "spectral", "stix-two-text",
    "taviraj", "tinos", "unna", "volkhov", "vollkorn", "zilla-slab",
))  # fmt: skip
"""Families that running text is set in, a typewriter's among them."""


class Synth:
    """Rendered words by number.

    Attributes:
        families: Faces with letters, by family: a family of ten weights is drawn no more often
            than one of a single weight. Upright faces come more than once in theirs.
        numeric: Faces of digits alone.
    """

    def __init__(
        self, faces: Sequence[Face], text_source: Texts, seed: int, strength: float = 1.0
    ) -> None:
        """Set up.

        Args:
            faces: What to write with.
            text_source: What to write.
            seed: Another seed, another set.
            strength: Of the degradation; see `Augment`.

        Raises:
            CrnnError: If no face has letters.
        """
        by_family: dict[str, list[Face]] = {}
        for face in faces:
            if not face.numeric:
                by_family.setdefault(face.family, []).append(face)
        if not by_family:
            raise CrnnError(f"none of the {len(faces)} font faces given has letters")
        self.numeric = tuple(face for face in faces if face.numeric)
        families = {name: _shares(family) for name, family in by_family.items()}
        self.families = tuple(families.values())
        everyday = fontsource.families()
        shares = [_EVERYDAY if everyday.get(name) else 1.0 for name in families]
        self._edges = np.cumsum(shares) / np.sum(shares)
        self._bookish = tuple(faces for name, faces in families.items() if name in _BOOKISH)
        self.text_source = text_source
        self.seed = seed
        self.style = scene.Style()
        self.augment = Augment(strength)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.uint8], str]:
        """A picture `(H, W) uint8` and its text; any index from 0 on."""
        rng = np.random.default_rng((self.seed, index))
        face, text = self._subject(rng)
        image = self.style.draw(text, rng, [face], lambda: self.text_source.sample(rng))
        return self.augment(image, rng), text

    def _subject(self, rng: np.random.Generator) -> tuple[Face, str]:
        """A face, and a text as that face can draw it."""
        text = self.text_source.sample(rng)
        if self.numeric and rng.random() < _DISPLAYS and _NUMERIC.issuperset(text):
            face = self.numeric[int(rng.random() * len(self.numeric))]
            if face.covers.issuperset(text):
                return face, text
        printed = self._bookish and text.count(" ") >= _WORDS - 1 and rng.random() < _PRINTED
        for _ in range(_TRIES):
            if printed:
                family = self._bookish[int(rng.random() * len(self._bookish))]
            else:
                family = self.families[int(np.searchsorted(self._edges, rng.random(), "right"))]
            face = family[int(rng.random() * len(family))]
            spelled = face.spell(text)
            if spelled is not None and self.text_source.allows(spelled):
                return face, spelled
        raise CrnnError(
            f"found no font face that can draw {text!r} among {len(self.families)} families: give "
            "fonts that have these characters, or a smaller charset"
        )


def _shares(family: Sequence[Face]) -> tuple[Face, ...]:
    """The faces of a family, each as often as signs prefer it: bold and upright."""
    shares = []
    for face in family:
        name = face.path.stem.lower()
        slanted = "italic" in name or "oblique" in name
        bold = any(word in name for word in ("700", "900", "bold", "black"))
        shares += [face] * (1 if slanted or "300" in name or "light" in name else 2 + bold)
    return tuple(shares)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model.data.synth",
        description="Render words as scenes show them, to train or calibrate with: shown as one\n"
        "picture, written as a labelled folder or an LMDB, or timed.",
        epilog="examples:\n"
        "  python -m model.data.synth --png words.png\n"
        "  python -m model.data.synth --style lcd --png displays.png\n"
        "  python -m model.data.synth --png plates.png --text-pattern '[A-Z]{3} \\d{3}'\n"
        "  python -m model.data.synth --count 5000 --out words --fonts ~/fonts --seed 7\n"
        "  python -m model.data.synth --count 1000000 --out words.lmdb --lmdb --workers 8\n\n"
        "Word i of a seed is always the same picture, whatever the number of workers.\n"
        "python -m model.data.fonts --fetch DIR brings several hundred open fonts.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--png", metavar="PNG", type=Path, help="draw 96 of them on one sheet")
    action.add_argument("--count", metavar="N", type=int, help="write the first N words to --out")
    action.add_argument("--bench", action="store_true", help="print words per second of one core")
    parser.add_argument(
        "--style",
        metavar="NAME",
        help=f"what shows the text: {', '.join(style_names())}, or the dotted name of a module of "
        "your own with a class Style (default: scene)",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, help="new folder to write to")
    parser.add_argument("--lmdb", action="store_true", help="write --out as an LMDB")
    parser.add_argument(
        "--fonts", nargs="+", type=Path, default=[], help="font folders (default: the system's)"
    )
    add_texts(
        parser, "dictionary, one word a line (default: the system's word list, or made-up words)"
    )
    parser.add_argument(
        "--charset",
        metavar="TEXT",
        help="the charset, as one string (default: printable ASCII and the space)",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--strength",
        type=float,
        default=1.0,
        help="of the degradation, 0 to 2 (default: %(default)s)",
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (default: %(default)s)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Show, write or time rendered words."""
    parser = _arguments()
    args = parser.parse_args(argv)
    if (args.count is None) != (args.out is None):
        parser.error("--count and --out go together")
    if args.lmdb and args.out is None:
        parser.error("--lmdb needs --count and --out")
    if args.seed < 0 or args.workers < 1 or (args.count is not None and args.count < 1):
        parser.error("--seed must be 0 or more, --workers and --count 1 or more")
    if args.charset == "":
        parser.error("--charset is empty: give the characters to write, or leave it out")
    if not 0 <= args.strength <= 2:
        parser.error("--strength must be between 0 and 2")
    return run_command(lambda: _render(args))


def _render(args: argparse.Namespace) -> None:
    charset = Charset.ascii() if args.charset is None else Charset(tuple(args.charset))
    source: Source
    if args.style not in (None, "scene"):
        style = load_style(args.style)  # before fonts are looked for: an error shows at once
        wanted = args.words or args.text_pattern or args.texts
        texts = requested_texts(charset, args.words, args.text_pattern, args.texts)
        faces = find_faces(args.fonts, "".join(charset.tokens))
        sample = texts.sample if wanted else None
        source = StyledText(style, faces, args.seed, args.strength, charset, sample)
    else:
        texts = requested_texts(charset, args.words, args.text_pattern, args.texts)
        faces = find_faces(args.fonts, "".join(charset.tokens))
        source = Synth(faces, texts, args.seed, args.strength)
    print(f"{len(faces)} faces of {len({face.family for face in faces})} families", file=sys.stderr)
    if args.png:
        check_sheet(args.png)
        pictures = [source[i] for i in range(_SHOWN)]
        cells = [
            Cell(image, below=((Span(f"{text}  {image.shape[0]} px"),),))
            for image, text in pictures
        ]
        contact_sheet(cells, args.png)
    elif args.bench:
        print(f"{_words_per_second(source):.0f} words/s")
    elif args.lmdb:
        write_lmdb(source, args.count, args.out, args.workers)
    else:
        write_folder(source, args.count, args.out, args.workers)


def _words_per_second(source: Source, count: int = 3000) -> float:
    """Measured over processor time, after the caches of a training run have filled."""
    for index in range(500):
        source[index]
    start = time.process_time()
    for index in range(count):
        source[index]
    return count / (time.process_time() - start)


if __name__ == "__main__":
    sys.exit(main())
