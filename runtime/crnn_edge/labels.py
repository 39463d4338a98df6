"""Labelled pictures on disk: what is trained on, calibrated with and measured on."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from crnn_edge.errors import ImageError
from crnn_edge.images import Image, read_image


class LabelledFolder(Sequence[tuple[Image, str]]):
    """Pictures with their texts: a folder with `labels.tsv` or `labels.csv`.

    A line is `file TAB text` (no quoting; the text may hold further tabs) or, in the CSV, the
    columns `file,text`, with or without that header. Files are relative to the folder; pictures
    are read when asked for.

    Attributes:
        paths: The picture files.
        texts: Their texts, as written.

    Raises:
        ImageError: If there is not exactly one label file, a line is no pair or a text has several
            lines, a picture is missing, or has two different texts; the message names the line.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Read and check the label file."""
        self.paths: list[Path] = []
        self.texts: list[str] = []
        labels = _label_file(path)
        listed: dict[str, str] = {}
        for line, row in _rows(labels):
            at = f"{labels}, line {line}"
            if len(row) != 2 or not row[0]:
                raise ImageError(f"{at}: expected a file and a text, got {row}")
            name, text = row
            if "\n" in text or "\r" in text:
                raise ImageError(f"{at}: a text of several lines, {text!r}: is a quote not closed?")
            if listed.setdefault(name, text) != text:
                raise ImageError(f"{at}: {name} is {text!r}, but {listed[name]!r} further above")
            if not _is_file(labels.parent / name):
                header = labels.suffix == ".csv" and line == 1
                told = " (or is this a header? It must be `file,text`)" if header else ""
                raise ImageError(f"{at}: no such picture: {labels.parent / name}{told}")
            self.paths.append(labels.parent / name)
            self.texts.append(text)
        if not self.paths:
            raise ImageError(f"{labels} lists no pictures")

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> tuple[Image, str]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[Image, str]]: ...
    def __getitem__(self, index: int | slice) -> tuple[Image, str] | list[tuple[Image, str]]:
        """A picture and its text, or the pairs of a slice."""
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
        told = "is a file: name the folder that it is in" if folder.exists() else "is not there"
        raise ImageError(f"expected a folder with labels.tsv or labels.csv: {folder} {told}")
    found = [p for p in (folder / "labels.tsv", folder / "labels.csv") if p.is_file()]
    if len(found) != 1:
        raise ImageError(
            f"{folder} needs one labels.tsv (`file TAB text`) or labels.csv (`file,text`), it has "
            f"{'both' if found else 'neither'}"
        )
    return found[0]


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
        raise ImageError(f"{at}: {error}: is a quote not closed?") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"cannot read {path} as UTF-8 text: {error}") from None
