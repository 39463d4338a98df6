from __future__ import annotations

import io
import zipfile

import pytest

from crnn_edge.archive import read_uncompressed_zip


def archive(method: int = zipfile.ZIP_STORED, before: bytes = b"", **entries: bytes) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, data in entries.items():
            made.writestr(name, data)
    return io.BytesIO(before + stream.getvalue())


def test_entries_are_what_was_stored_and_what_is_before_them_is_told() -> None:
    entries, start = read_uncompressed_zip(archive(before=b"a graph", one=b"1", two=b""))
    assert entries == {"one": b"1", "two": b""}
    assert start == len(b"a graph")
    assert read_uncompressed_zip(archive()) == ({}, 0)


def test_what_is_compressed_is_refused() -> None:
    with pytest.raises(ValueError, match="one is compressed"):
        read_uncompressed_zip(archive(zipfile.ZIP_DEFLATED, one=b"1"))


def test_entries_that_overlap_are_refused_before_they_are_read() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("0", bytes(4000))
        for number in range(1, 50):  # the same bytes, under another name
            made.filelist.append(again := zipfile.ZipInfo(str(number)))
            again.file_size = again.compress_size = 4000
            again.CRC, again.header_offset = made.filelist[0].CRC, 0
    with pytest.raises(ValueError, match="larger than the file"):
        read_uncompressed_zip(stream)
