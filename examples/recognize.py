"""Read the text in an image: the shortest useful program.

python examples/recognize.py examples/images/plate.jpg
python examples/recognize.py examples/images/plate.jpg --draw spans.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from crnn_edge import Recognition, Recognizer, read_image
from crnn_edge.cli.arguments import add_model, documented_parser
from crnn_edge.cli.run import run_command
from crnn_edge.errors import ImageError
from crnn_edge.types import Image


def draw(image: Image, recognition: Recognition, path: Path) -> None:
    """Save the image, enlarged, with a box around each character and the character below it."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    image = np.rot90(image, recognition.rotation // 90)
    height, width = image.shape[:2]
    scale = max(1, round(160 / height))
    strip = 40  # px below the image, for the characters
    canvas = Pillow.new("RGB", (width * scale, height * scale + strip), "white")
    canvas.paste(Pillow.fromarray(image).resize((width * scale, height * scale)))
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(24)
    for character in recognition.characters:
        if character.token.isspace():
            continue
        left, right = character.start * scale, character.end * scale - 1
        pen.rectangle((left, 0, right, height * scale - 1), outline="red", width=1)
        middle = ((left + right) / 2, height * scale + strip / 2)
        pen.text(middle, character.token, "black", font, anchor="mm")
    try:
        canvas.save(path)
    except ValueError as error:  # an unknown suffix
        raise ImageError(f"cannot save {path}: {error}") from None


def main() -> int:
    """Read, print, draw."""
    parser = documented_parser(__doc__)
    parser.add_argument("image", type=Path, help="an image of one line of text")
    add_model(parser)
    parser.add_argument("--draw", type=Path, metavar="PNG", help="draw each character's box")
    args = parser.parse_args()
    if args.draw and args.draw.resolve() == args.image.resolve():
        parser.error(f"--draw {args.draw} would overwrite the image")

    def read() -> None:
        recognizer = Recognizer.load(args.model)
        image = read_image(args.image)
        recognition = recognizer(image)
        print(f"{recognition.text}\t{recognition.confidence:.3f}")
        if args.draw:
            draw(image, recognition, args.draw)

    return run_command(read)


if __name__ == "__main__":
    sys.exit(main())
