"""How well character boxes cover the letters: `python -m model.analysis.character_boxes MODEL`.

Lines are drawn with fonts, so that the box of each glyph is known. Of the lines that are read
right, it prints the median intersection over union (IoU) of boxes and glyphs along x, and the lead:
by how many time steps the network is sure of a character before the character's middle.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from crnn_edge import Recognizer
from crnn_edge.backends import find_model
from crnn_edge.cli.run import run_command
from crnn_edge.decoders.spans import middles_of
from crnn_edge.errors import CrnnError

TEXTS = (
    "HOTEL 24", "048396", "SN-7F3A92", "EXP 03/2027", "Street", "TK 427 NZ", "$12.99",
    "Invoice 4471", "wonderful", "10:45", "Main Street", "LIBRARY", "Information", "B-4821-XK",
)  # fmt: skip
_SIZES = (28, 36, 44)  # px of the font
_INK, _PAPER = 25, 232

Spans = list[tuple[float, float]]


def line(
    text: str, font: ImageFont.FreeTypeFont, padding_px: int, noise: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], Spans]:
    """A line of dark text on light paper `uint8 (H, W)`, and left and right of each glyph's ink."""
    left, top, right, bottom = font.getbbox(text)
    size = int(right - left) + 2 * padding_px, int(bottom - top) + 2 * padding_px
    sheet = Image.new("L", size, _PAPER)
    ImageDraw.Draw(sheet).text((padding_px - left, padding_px - top), text, font=font, fill=_INK)
    gray = np.asarray(sheet.filter(ImageFilter.GaussianBlur(0.6)), dtype=float)
    glyphs = []
    for i, character in enumerate(text):
        x = padding_px - left + font.getlength(text[:i])
        box = font.getbbox(character)
        glyphs.append((x + box[0], x + box[2]))
    image = np.clip(gray + noise.normal(0, 4, gray.shape), 0, 255).astype(np.uint8)
    return image, glyphs


def lines(fonts: Sequence[Path]) -> Iterator[tuple[str, npt.NDArray[np.uint8], Spans]]:
    """All texts in all sizes of Pillow's own font and of some more."""
    noise = np.random.default_rng(2)
    for size in _SIZES:
        found = [ImageFont.load_default(size), *(ImageFont.truetype(f, size) for f in fonts)]
        for font in found:
            if isinstance(font, ImageFont.FreeTypeFont):
                for text in TEXTS:
                    yield text, *line(text, font, size // 6, noise)


def overlap(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Intersection over union of two spans."""
    shared = min(a[1], b[1]) - max(a[0], b[0])
    return max(0.0, shared) / (max(a[1], b[1]) - min(a[0], b[0]))


def measure(recognizer: Recognizer, fonts: Sequence[Path] = ()) -> tuple[list[float], list[float]]:
    """The IoU and the lead in time steps of each character of the lines that are read right.

    Spaces have no glyph and are left out.
    """
    overlaps, leads = [], []
    for text, image, glyphs in lines(fonts):
        recognition = recognizer(image)
        alignment = recognition.hypothesis.alignment
        if recognition.text != text or recognition.rotation or alignment is None:
            continue
        middles = middles_of(alignment, len(text))
        for character, middle, glyph in zip(recognition.characters, middles, glyphs, strict=True):
            if character.token != " ":
                overlaps.append(overlap((character.start, character.end), glyph))
                leads.append((glyph[0] + glyph[1]) / 2 / recognition.step_px - middle)
    return overlaps, leads


def main(argv: list[str] | None = None) -> int:
    """Entry point of `python -m model.analysis.character_boxes`."""
    parser = argparse.ArgumentParser(
        prog="python -m model.analysis.character_boxes",
        description="Measure how well character boxes cover the letters of rendered lines.",
    )
    parser.add_argument("models", nargs="+", type=find_model, metavar="MODEL")
    parser.add_argument("--font", action="append", default=[], type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    return run_command(lambda: _report(args.models, args.font))


def _report(models: Sequence[Path], fonts: Sequence[Path]) -> None:
    for model in models:
        recognizer = Recognizer.load(model, threads=1, decoder="greedy", tta_threshold=0)
        overlaps, leads = measure(recognizer, fonts)
        if not overlaps:
            raise CrnnError(f"{model} reads none of the rendered lines right: train it longer")
        print(
            f"{model.name}: median IoU {np.median(overlaps):.2f}, lead {np.median(leads):.2f} time "
            f"steps (quartiles {np.percentile(leads, 25):.2f} and {np.percentile(leads, 75):.2f}), "
            f"n = {len(overlaps)} characters"
        )


if __name__ == "__main__":
    sys.exit(main())
