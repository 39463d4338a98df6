r"""Read images of one line of text each.

Writes a line per image: path, text and p(text | image), separated by tabs. With --json it is an
object per line, with the characters, their boxes in pixels, and the alternatives of a decoder whose
nbest is above 1. Control characters in names and texts are escaped (a tab is `\t`); JSON has them
exactly. Where a decoder has a constraint (a pattern, a lexicon) that the text does not
meet, the line has a fourth field, `no match`; in JSON `matches_constraint` is false. In JSON
`optimal` is true where the decoder knows that no other text is more probable. An image that cannot
be read gives a line on standard error; the others are still read, and the exit code is 1.

Examples:
  python -m crnn_edge read word.png
  python -m crnn_edge read --model my.onnx --json crops/ more/*.jpg
  cat word.png | python -m crnn_edge read -
  python -m crnn_edge read plate.png --decoder beam --set 'pattern=[A-Z]{2}\d{4}'
  python -m crnn_edge read crops/ --decoder lexicon --set words=names.txt
  python -m crnn_edge read word.png --decoder beam --set nbest=5 --json
  python -m crnn_edge read hard/ --tta-threshold 0.7
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from crnn_edge.backends import FORMAT_BY_SUFFIX
from crnn_edge.cli.arguments import (
    add_decoder,
    add_engine,
    add_json,
    add_model,
    add_tta,
    positive_int,
    recognizer_options,
)
from crnn_edge.cli.quiet import quiet_stderr
from crnn_edge.errors import ImageError
from crnn_edge.escape import escape_json, escape_line
from crnn_edge.image_header import MAX_BYTES
from crnn_edge.images import list_images, read_image
from crnn_edge.preprocess import Preprocess
from crnn_edge.recognizer import Recognizer
from crnn_edge.types import Image

log = logging.getLogger("crnn_edge")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `read`."""
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="a file, a folder, or - for standard input"
    )
    add_model(parser)
    add_engine(parser)
    add_decoder(parser)
    add_tta(parser)
    parser.add_argument(
        "--batch",
        type=positive_int,
        default=16,
        metavar="N",
        help="images read together; results do not depend on it (default: %(default)s)",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Read the images."""
    recognizer = Recognizer.load(options.model, **recognizer_options(options))
    images = _images(options.images, recognizer.manifest.preprocess)
    code = 0
    while batch := list(islice(images, options.batch)):
        readable = [pair for pair in batch if pair is not None]
        recognitions = recognizer.batch([image for _, image in readable])
        for (path, _), recognition in zip(readable, recognitions, strict=True):
            if options.json:
                line = json.dumps({"path": path} | recognition.to_dict(), ensure_ascii=False)
                # Bytes of a file name that are not UTF-8 would not be valid in JSON either.
                print(escape_json(line.encode(errors="backslashreplace").decode()))
            else:
                mark = "\tno match" if recognition.matches_constraint is False else ""
                path, text = escape_line(path), escape_line(recognition.text)
                print(f"{path}\t{text}\t{recognition.confidence:.4f}{mark}")
        sys.stdout.flush()
        code |= len(readable) < len(batch)
    return code


def _images(sources: Sequence[str], preprocess: Preprocess) -> Iterator[tuple[str, Image] | None]:
    """Paths and images; None after an error message for one that cannot be read."""
    for source in sources:
        errors: list[ImageError] = []
        paths = [source]
        if source != "-":
            try:
                paths = [str(path) for path in list_images(source, errors.append)]
            except ImageError as error:
                errors.append(error)
                paths = []
        for failure in errors:
            log.error("%s", failure)
            yield None
        yield from (_image(path, preprocess) for path in paths)


def _image(path: str, preprocess: Preprocess) -> tuple[str, Image] | None:
    source = "standard input: " if path == "-" else ""  # `read_image` names a file itself
    try:
        if path == "-" and sys.stdin is None:
            raise ImageError("it is closed")
        # Pillow warns of odd metadata, OpenCV writes of damage that the error reports already.
        with warnings.catch_warnings(action="ignore"), quiet_stderr():
            image = read_image(sys.stdin.buffer.read(MAX_BYTES + 1) if path == "-" else path)
        source = f"{path}: "
        preprocess.geometry(*image.shape[:2])
    except ImageError as error:
        hint = " (pass a model file with --model)" if Path(path).suffix in FORMAT_BY_SUFFIX else ""
        log.error("%s", f"{source}{error}{hint}")
        return None
    return path, image
