"""Fonts to draw with: where they are found, and which characters each of them really has.

A face is trusted only as far as it was looked at: glyphs that are blank, or that equal the box a
font draws for what it lacks, do not count; lower case that is drawn as (small) capitals does not
count either, because no reader could tell its case, nor do marks that look like another character.
"""

from __future__ import annotations

import argparse
import re
import string
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from crnn_edge.cli.run import run_command
from crnn_edge.errors import CrnnError
from model.data import fontsource
from model.data.render.geometry import Pixels

SYSTEM_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)
_SUFFIXES = {".ttf", ".otf", ".woff", ".woff2"}
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
"""What ASCII can show, the space included."""
_SIZE = 24  # px, at which glyphs are looked at
_MISSING = "\uffff\U000e0fff"  # never assigned: draw as .notdef
_STYLE = re.compile(r"-?(?:[1-9]00|regular|bold|italic|oblique|light)")
# Segment displays have no form for most letters and draw look-alikes of others.
_ONLY = {"dseg": "0123456789:.- "}
# Their lower case is too unlike their capitals for a threshold: one that finds them finds others.
_SMALL_CAPITALS = ("amatic", "cinzel-decorative", "creepster", "monoton", "syncopate")
# Faces of pictures, bars and bent text that would be mistaken for letters.
_NEVER = (
    "symbol",
    "emoji",
    "icon",
    "barcode",
    "redacted",
    "math",
    "wingding",
    "dingbat",
    "seggchan",
)


@dataclass(frozen=True)
class Face:
    """One font file, and the characters it can be trusted to draw.

    Attributes:
        path: The font file.
        covers: Characters with a visible glyph of their own, of printable ASCII and of those that
            were asked for.
        family: Faces of one family are drawn from as if they were one.
    """

    path: Path
    covers: frozenset[str]
    family: str

    @property
    def numeric(self) -> bool:
        """Whether it is a display of segments, or another face without letters."""
        return "A" not in self.covers

    def spell(self, text: str) -> str | None:
        """The text as this face can draw it (in capitals if it has only those), or None."""
        if self.covers.issuperset(text):
            return text
        return upper if self.covers.issuperset(upper := text.upper()) else None


@lru_cache(maxsize=4096)
def open_face(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    """An opened face; opening costs about as much as drawing a word."""
    return ImageFont.truetype(path, size_px, layout_engine=ImageFont.Layout.BASIC)


def _glyph(font: ImageFont.FreeTypeFont, char: str) -> Pixels:
    picture = Image.new("L", (3 * _SIZE, 3 * _SIZE))
    ImageDraw.Draw(picture).text((_SIZE, _SIZE // 2), char, 255, font)
    return np.asarray(picture)


def _shape(glyph: Pixels) -> Pixels:
    """A glyph's ink stretched to a fixed box, standardized, so that forms can be compared."""
    x, y, w, h = cv2.boundingRect(glyph)
    box = cv2.resize(glyph[y : y + h, x : x + w], (16, 16), interpolation=cv2.INTER_AREA)
    box = box.astype(np.float32)
    form: Pixels = (box - box.mean()) / (box.std() + 1e-6)
    return form


def covered(path: Path, characters: str = PRINTABLE) -> frozenset[str]:
    """What a font file draws, of printable ASCII and `characters`; empty if it is of no use."""
    try:
        font = ImageFont.truetype(path, _SIZE, layout_engine=ImageFont.Layout.BASIC)
        missing = {_glyph(font, char).tobytes() for char in _MISSING}
        glyphs = {char: _glyph(font, char) for char in {*PRINTABLE, *characters}}
        if font.getlength(" ") <= 0:
            return frozenset()
    except (OSError, ValueError):
        return frozenset()
    seen = {c for c, g in glyphs.items() if c != " " and g.any() and g.tobytes() not in missing}
    capitals = [glyphs[c].tobytes() for c in "ABCDEFGHIKLMNOPRSTUVW" if c in seen]
    if len(set(capitals)) < len(capitals) - 2:
        return frozenset()
    alike = [
        float((_shape(glyphs[c]) * _shape(glyphs[c.upper()])).mean())
        for c in "abdefghmnqrt"
        if {c, c.upper()} <= seen
    ]
    named = any(name in path.name.lower() for name in _SMALL_CAPITALS)
    if named or (alike and np.mean(alike) > 0.8):
        seen -= set(string.ascii_lowercase)
    forms = Counter(glyphs[c].tobytes() for c in seen)
    seen -= {c for c in string.punctuation if c in seen and forms[glyphs[c].tobytes()] > 1}
    for name, only in _ONLY.items():
        if name in path.name.lower():
            seen &= set(only)
    return frozenset(seen | {" "}) if seen.issuperset("0123456789") else frozenset()


def find_faces(folders: Iterable[Path | str] = (), characters: str = PRINTABLE) -> list[Face]:
    """The usable faces of some folders, sorted by path.

    Args:
        folders: Where to look, at any depth; the system's font folders when none are given.
        characters: What the faces will be asked to draw, looked for beside printable ASCII; faces
            that lack some are kept.

    Raises:
        CrnnError: If a folder is missing, or no face at all is usable; the message says how to
            get fonts.
    """
    given = [Path(folder) for folder in folders]
    for folder in given:
        if not folder.is_dir():
            told = "a file: name its folder" if folder.exists() else "none there"
            raise CrnnError(f"no such font folder: {folder} ({told})")
    where = given or [folder for folder in SYSTEM_FOLDERS if folder.exists()]
    paths = {p for folder in where for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES}
    faces = []
    for path in sorted(paths):
        if any(word in path.name.lower() for word in _NEVER):
            continue
        if chars := covered(path, characters):
            faces.append(Face(path, chars, _STYLE.split(path.stem.lower())[0]))
    if not faces:
        raise CrnnError(
            f"no usable font in {', '.join(map(str, where)) or 'the system folders'}: install some "
            "(on Debian: apt-get install fonts-dejavu fonts-liberation), or fetch several hundred "
            "open ones with python -m model.data.fonts --fetch FOLDER and give --fonts FOLDER"
        )
    return faces


def main(argv: Sequence[str] | None = None) -> int:
    """List usable fonts, or fetch open ones."""
    parser = argparse.ArgumentParser(
        prog="python -m model.data.fonts",
        description="List the fonts that text can be rendered with, or fetch several hundred\n"
        "openly licensed families (about 90 MB on disk) from the npm registry.",
        epilog="examples:\n  python -m model.data.fonts\n"
        "  python -m model.data.fonts --fetch ~/fonts\n"
        "  python -m model.data.fonts ~/fonts",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="*", type=Path, help="default: the system's font folders")
    parser.add_argument("--fetch", metavar="DIR", type=Path, help="fetch into DIR (needs npm)")
    args = parser.parse_args(argv)
    if args.fetch and args.folders:
        parser.error("--fetch takes its one folder and no others")
    if args.fetch and args.fetch.exists() and not args.fetch.is_dir():
        parser.error(f"--fetch {args.fetch} is a file: name a folder, there already or new")
    return run_command(lambda: _fetch_or_list(args))


def _fetch_or_list(args: argparse.Namespace) -> None:
    if args.fetch:
        for name, license, count in fontsource.fetch(args.fetch, list(fontsource.families())):
            print(f"{name}\t{license}\t{count} faces", flush=True)
    else:
        for face in find_faces(args.folders):
            print(f"{face.path}\t{len(face.covers)} characters")


if __name__ == "__main__":
    sys.exit(main())
