"""Format and size of an image file from its header, before any pixel is decoded.

A file of 700 kB can hold 177 million pixels, which take gigabytes once decoded. Both readers
(Pillow and OpenCV) decode only what `check_header` has accepted.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from crnn_edge.errors import ImageError

MAX_BYTES = 128 << 20
"""Largest image file that is read."""

MAX_PIXELS = 40_000_000
"""Most pixels that are decoded: a page at 600 dpi has 35 million, a line of text far fewer."""

MAX_REDUCTION = 2
"""Larger JPEG files are decoded at half their width and height, which the decoder does cheaply."""

FORMATS = "BMP, GIF, JPEG, PNG, PPM (also PGM, PBM), TIFF, WEBP"
"""The formats that are read."""


class Header(NamedTuple):
    """What the header says.

    Attributes:
        format: The format, by its name in Pillow.
        width: Width in pixels.
        height: Height in pixels.
        reducible: Whether it can be decoded at half its size without storing the whole: a JPEG
            with a single scan.
    """

    format: str
    width: int
    height: int
    reducible: bool = False


def check_header(data: bytes) -> tuple[Header, int]:
    """The header of an image file, and by what number to divide its width and height.

    Raises:
        ImageError: If the format is not one of `FORMATS`, the header is damaged, or there are more
            pixels than may be decoded.
    """
    try:
        header = _header(data)
    except (struct.error, ValueError, IndexError):
        header = None
    if header is None or header.width < 1 or header.height < 1:
        raise ImageError(f"not an image of a known format ({FORMATS}), or truncated")
    pixels = header.width * header.height
    if pixels <= MAX_PIXELS:
        return header, 1
    if header.reducible and pixels <= MAX_PIXELS * MAX_REDUCTION**2:
        return header, MAX_REDUCTION
    raise ImageError(
        f"it has {header.width}×{header.height} pixels, expected at most {MAX_PIXELS:,}: crop it "
        "to the line of text, or scale it down"
    )


def _header(data: bytes) -> Header | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return Header("PNG", *struct.unpack_from(">II", data, 16))
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return Header("GIF", *struct.unpack_from("<HH", data, 6))
    if data.startswith(b"BM"):
        core = struct.unpack_from("<I", data, 14)[0] == 12  # the header of OS/2
        width, height = struct.unpack_from("<HH" if core else "<ii", data, 18)
        return Header("BMP", abs(width), abs(height))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return _tiff(data)
    if match := re.match(rb"P[1-6](?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)\s", data[:4096]):
        return Header("PPM", int(match[1]), int(match[2]))
    return None


def _jpeg(data: bytes) -> Header | None:
    """From the frame header; whether there is a single scan is told by the first scan header."""
    frame: tuple[int, int, int, int] | None = None  # marker, height, width, components
    at = 2
    while True:
        while data[at + 1] == 0xFF:  # fill bytes
            at += 1
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if data[at] != 0xFF or length < 2:
            return None
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame = marker, *struct.unpack_from(">HHB", data, at + 5)
        if marker == 0xDA:
            break
        at += 2 + length
    if frame is None:
        return None
    kind, height, width, components = frame
    return Header("JPEG", width, height, kind in (0xC0, 0xC1) and data[at + 4] == components)


def _webp(data: bytes) -> Header | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("WEBP", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return Header("WEBP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X" and len(data) >= 30:
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return Header("WEBP", width, height)
    return None


def _tiff(data: bytes) -> Header | None:
    """From the first directory, of a TIFF or a BigTIFF; of repeated tags, the largest value."""
    order = "<" if data.startswith(b"II") else ">"
    big = b"+" in data[2:4]
    start = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, 8 if big else 4)[0]
    count = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, start)[0]
    entry, first = (20, start + 8) if big else (12, start + 2)
    sizes = {256: 0, 257: 0}
    for at in range(first, min(first + entry * count, len(data)), entry):
        tag, kind = struct.unpack_from(f"{order}HH", data, at)
        if tag in sizes:
            number = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind)
            if number is None:
                return None
            value = struct.unpack_from(f"{order}{number}", data, at + (12 if big else 8))[0]
            sizes[tag] = max(sizes[tag], value)
    return Header("TIFF", sizes[256], sizes[257])
