"""Labeled images on disk: for training, calibration and measurement."""

from __future__ import annotations

import csv
import logging
import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from crnn_edge.errors import ImageError
from crnn_edge.images import read_image
from crnn_edge.types import Image

log = logging.getLogger("crnn_edge")


class LabelledFolder(Sequence[tuple[Image, str]]):
    """Images with their labels: a folder with `labels.tsv` or `labels.csv`.

    A line is `file TAB text` (no quoting; the text may hold further tabs) or, in the CSV, the
    columns `file,text`, with or without that header. Files are relative to the folder; images
    are read when they are accessed. Labels whose accents are separate characters are kept as
    written, with a warning: a charset has most accented letters as one character.

    Attributes:
        paths: The image files.
        texts: Their labels, as written.

    Raises:
        ImageError: If there is not exactly one label file, a line is not a pair, a label contains a
            line break, or an image is missing or has two labels; the message names the line.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Read and check the label file."""
        self.paths: list[Path] = []
        self.texts: list[str] = []
        labels = _label_file(path)
        listed: dict[str, str] = {}
        decomposed: list[int] = []
        for line, row in _rows(labels):
            at = f"{labels}, line {line}"
            if len(row) != 2 or not row[0]:
                raise ImageError(f"{at}: expected a file and its label, got {row}")
            name, text = row
            if "\n" in text or "\r" in text:
                raise ImageError(f"{at}: label contains a line break: {text!r} (unclosed quote?)")
            image = os.path.normpath(labels.parent / name)  # `x.jpg` and `./x.jpg` are one
            if listed.setdefault(image, text) != text:
                raise ImageError(
                    f"{at}: {name} is labeled {text!r}, but {listed[image]!r} further above"
                )
            if not _is_file(labels.parent / name):
                header = labels.suffix == ".csv" and line == 1
                hint = " (or is this a header? It must be `file,text`)" if header else ""
                raise ImageError(f"{at}: no such image: {labels.parent / name}{hint}")
            self.paths.append(labels.parent / name)
            self.texts.append(text)
            if len(unicodedata.normalize("NFC", text)) < len(text):
                decomposed.append(line)
        if not self.paths:
            raise ImageError(f"{labels} lists no images")
        if decomposed:
            log.warning(
                "%s",
                f"{labels}: {len(decomposed)} labels, first in line {decomposed[0]}, are "
                "decomposed Unicode (accents as separate characters): convert the file to NFC, "
                "unless the charset has them as separate characters too",
            )

    def __len__(self) -> int:
        """The number of images."""
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> tuple[Image, str]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[Image, str]]: ...
    def __getitem__(self, index: int | slice) -> tuple[Image, str] | list[tuple[Image, str]]:
        """An image and its label, or the pairs of a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return read_image(self.paths[index]), self.texts[index]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or has a NUL
        return False


def _label_file(path: str | os.PathLike[str]) -> Path:
    """The one label file of a folder.

    Raises:
        ImageError: If there is no such folder, or not just one such file in it.
    """
    folder = Path(path)
    if not os.fspath(path):  # such as a shell makes of an unset variable
        raise ImageError("expected a folder with labels.tsv or labels.csv, got an empty path")
    if not folder.is_dir():
        reason = "is a file: pass the folder that it is in" if folder.exists() else "does not exist"
        raise ImageError(f"expected a folder with labels.tsv or labels.csv: {folder} {reason}")
    files = [p for p in (folder / "labels.tsv", folder / "labels.csv") if p.is_file()]
    if len(files) != 1:
        raise ImageError(
            f"{folder} needs one labels.tsv (`file TAB text`) or labels.csv (`file,text`), it has "
            f"{'both' if files else 'neither'}"
        )
    return files[0]


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields of a label file, without blank lines and the CSV's header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            if path.suffix == ".csv":
                reader = csv.reader(lines, strict=True)
                for row in reader:
                    if row and not (reader.line_num == 1 and row == ["file", "text"]):
                        yield reader.line_num, row
            else:
                for number, line in enumerate(lines, start=1):
                    if text := line.rstrip("\r\n"):
                        yield number, text.split("\t", maxsplit=1)
    except csv.Error as error:
        at = f"{path}, line {reader.line_num}"
        raise ImageError(f"{at}: {error} (unclosed quote?)") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"cannot read {path} as UTF-8 text: {error}") from None
