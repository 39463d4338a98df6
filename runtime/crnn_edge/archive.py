"""Zip archives that compress nothing, as the model files of two formats are."""

from __future__ import annotations

import os
import zipfile
from typing import BinaryIO


def read_uncompressed_zip(file: BinaryIO) -> tuple[dict[str, bytes], int]:
    """The entries of an archive, by name, and where in it the first begins.

    Together they are no larger than the archive, whatever it claims.

    Raises:
        ValueError: If something is compressed, or larger than it can be.
        Exception: As `zipfile` does, which has a dozen ways to fail on a damaged file.
    """
    size = file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > size:
            raise ValueError("what it holds is longer than the file")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{entry.filename} is compressed")
        start = min((entry.header_offset for entry in entries), default=0)
        return {entry.filename: archive.read(entry) for entry in entries}, start
