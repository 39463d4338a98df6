"""Uncompressed zip archives: the model files of two formats are such archives."""

from __future__ import annotations

import os
import zipfile
from typing import BinaryIO


def read_uncompressed_zip(file: BinaryIO) -> tuple[dict[str, bytes], int]:
    """The entries of an archive by name, and the offset of the first.

    Together they are not larger than the archive, whatever its headers say.

    Raises:
        ValueError: If an entry is compressed, or the sizes exceed the archive.
        Exception: As `zipfile` does, which has a dozen ways to fail on a damaged file.
    """
    size = file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > size:
            raise ValueError("its entries are larger than the file")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{entry.filename} is compressed")
        start = min((entry.header_offset for entry in entries), default=0)
        return {entry.filename: archive.read(entry) for entry in entries}, start
