"""Read the text in a picture: the shortest useful program.

python examples/recognize.py examples/images/plate.jpg
python examples/recognize.py examples/images/plate.jpg --draw spans.png
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from crnn_edge import Recognition, Recognizer, read_image
from crnn_edge.cli.run import run_command
from crnn_edge.errors import ImageError
from crnn_edge.images import Image


def draw(image: Image, reading: Recognition, path: Path) -> None:
    """Save the picture enlarged, with a line around each character where the model saw it."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    image = np.rot90(image, reading.turned // 90)  # as it was read
    height, width = image.shape[:2]
    scale = max(1, round(160 / height))
    strip = 40  # px below the picture, for what was read
    canvas = Pillow.new("RGB", (width * scale, height * scale + strip), "white")
    canvas.paste(Pillow.fromarray(image).resize((width * scale, height * scale)))
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(24)
    for character in reading.characters:
        left, right = character.start * scale, character.end * scale - 1
        pen.rectangle((left, 0, right, height * scale - 1), outline="red", width=2)
        middle = ((left + right) / 2, height * scale + strip / 2)
        pen.text(middle, character.token, "black", font, anchor="mm")
    try:
        canvas.save(path)
    except ValueError as error:  # a suffix that Pillow does not know
        raise ImageError(f"cannot save {path}: {error}") from None


def main() -> int:
    """Read, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("image", type=Path, help="a picture of one line of text")
    parser.add_argument(
        "--model", help="a model file, or the name of one that comes along (default: crnn-lite)"
    )
    parser.add_argument("--draw", type=Path, metavar="PNG", help="save where each character is")
    args = parser.parse_args()
    if args.draw and args.draw.resolve() == args.image.resolve():
        parser.error(f"--draw {args.draw} is the picture itself, which would be lost")

    def read() -> None:
        recognizer = Recognizer.load(args.model)
        image = read_image(args.image)
        reading = recognizer(image)
        print(f"{reading.text}\t{reading.confidence:.3f}")
        if args.draw:
            draw(image, reading, args.draw)

    return run_command(read)


if __name__ == "__main__":
    sys.exit(main())
