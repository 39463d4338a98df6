"""Images of strangers: judged by their header, whichever library decodes them."""

from __future__ import annotations

import io
import os
import resource
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_edge import image_header
from crnn_edge.errors import ImageError
from crnn_edge.image_header import MAX_PIXELS, check_header
from crnn_edge.images import read_image

WHOLE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 47, 3), np.uint8))
HIDE = {"pillow": "", "opencv": "sys.modules['PIL'] = sys.modules['PIL.Image'] = None"}
BOTH = pytest.mark.parametrize(
    "library", ["pillow", pytest.param("opencv", marks=pytest.mark.opencv)]
)


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png(side: int) -> bytes:
    """An RGBA image of one color, in few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(bytes(1 + 4 * side)) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def webp(side: int) -> bytes:
    """A lossless image whose five codes have one symbol each: pixels take no bits."""
    fields = [(0x2F, 8), (side - 1, 14), (side - 1, 14), (0, 1), (0, 3), (0, 3)]
    fields += [(1, 1), (0, 1), (0, 1), (0, 1)] * 5
    bits = count = 0
    for value, width in fields:
        bits |= value << count
        count += width
    data = bits.to_bytes((count + 7) // 8, "little")
    data += bytes(len(data) % 2)
    body = b"WEBPVP8L" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def enlarged(data: bytes, side: int = 60_000) -> bytes:
    """A JPEG whose frame header gives another size."""
    at = next(k for k in range(len(data)) if data[k] == 0xFF and data[k + 1] in (0xC0, 0xC2))
    return data[: at + 5] + struct.pack(">HH", side, side) + data[at + 9 :]


def read_in_child(path: Path, library: str, path_variable: str = "") -> tuple[str, str, int]:
    """What `read_image` of a child prints, its standard error, and the bytes it took."""
    code = f"""
import resource, sys
{HIDE[library]}
from crnn_edge import CrnnError, read_image
read_image(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(read_image(sys.argv[1]).shape)
except CrnnError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    small = path.parent / "small.png"
    WHOLE.save(small)
    done = subprocess.run(
        [sys.executable, "-c", code, path, small],
        env=os.environ | ({"PATH": path_variable} if path_variable else {}),
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)),
    )
    message, grown = done.stdout.splitlines()
    return message, done.stderr, int(grown) * 1024


@BOTH
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bomb.png", png(7000)),
        ("bomb.webp", webp(13300)),
        ("bomb.jpg", enlarged(encode(WHOLE, "JPEG"))),
        ("bomb.bmp", b"BM" + bytes(12) + struct.pack("<Iii", 40, 30_000, -30_000) + bytes(28)),
        ("bomb.gif", b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(7)),
        ("bomb.ppm", b"P5 # a comment\n100000 100000\n255\n"),
    ],
)
def test_a_large_image_is_refused_before_it_is_decoded(
    name: str, data: bytes, library: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    message, errors, grown = read_in_child(tmp_path / name, library)
    assert f"{name}: it has " in message
    assert "pixels, expected at most 40,000,000: crop it" in message
    assert (errors, grown < 50 << 20) == ("", True)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("GIF", {}), ("BMP", {}),
        ("WEBP", {}), ("WEBP", {"lossless": True}), ("WEBP", {"lossless": True, "exif": b"Exif"}),
        ("TIFF", {}), ("TIFF", {"big_tiff": True}), ("PPM", {}),
    ],
)  # fmt: skip
def test_the_size_of_every_format_is_found(kind: str, options: dict[str, object]) -> None:
    header, divisor = check_header(encode(WHOLE, kind, **options))
    assert header[:3] == (kind, 47, 30)
    assert divisor == 1
    assert header.reducible == (kind == "JPEG" and not options)


@BOTH
def test_a_large_jpeg_is_read_at_half_its_size(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = {"pillow": ["cv2"], "opencv": ["PIL", "PIL.Image"]}[library]
    baseline = encode(WHOLE, "JPEG")
    progressive = encode(WHOLE, "JPEG", progressive=True)
    for name in hidden:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(image_header, "MAX_PIXELS", 47 * 30 // 2)
    assert read_image(baseline).shape == (15, 24, 3)
    with pytest.raises(ImageError, match=r"it has 47×30 pixels"):  # it would be stored whole
        read_image(progressive)
    monkeypatch.setattr(image_header, "MAX_PIXELS", 47 * 30 // 5)
    with pytest.raises(ImageError, match=r"it has 47×30 pixels"):
        read_image(baseline)


def test_damaged_headers_raise_nothing_else() -> None:
    kinds = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
    generator = np.random.default_rng(1)
    for data in (encode(WHOLE, kind) for kind in kinds):
        for _ in range(300):
            damaged = bytearray(data[: generator.integers(1, 400)])
            for at in generator.integers(0, len(damaged), 4):
                damaged[at] = generator.integers(256)
            with suppress(ImageError):
                header, divisor = check_header(bytes(damaged))
                assert 0 < header.width * header.height <= MAX_PIXELS * divisor**2


@BOTH
@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.tif"])
def test_postscript_starts_no_program(name: str, library: str, tmp_path: Path) -> None:
    ghostscript = tmp_path / "bin/gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
    ghostscript.chmod(0o755)
    text = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 32\n%%EndComments\nshowpage\n%%EOF\n"
    (tmp_path / name).write_text(text)
    path = f"{ghostscript.parent}{os.pathsep}{os.environ['PATH']}"
    message, errors, _ = read_in_child(tmp_path / name, library, path)
    assert "not an image of a known format (BMP, GIF, JPEG" in message
    assert (errors, (tmp_path / "called").exists()) == ("", False)


DAMAGED = {
    "zeros.jpg": encode(WHOLE, "JPEG")[:700] + bytes(400) + encode(WHOLE, "JPEG")[1100:],
    "chunks.png": b"\x89PNG\r\n\x1a\n" + bytes(8) + b"\0\0\0\x09" * 2 + bytes(99) + b"IEND",
    "crc.png": encode(WHOLE, "PNG")[:60] + bytes(40) + encode(WHOLE, "PNG")[100:],
    "x.tif": b"II*\0\x08\0\0\0" + b"\xff" * 60,
    "tags.tif": encode(WHOLE, "TIFF")[:12] + bytes(3000),
    "strip.tif": encode(WHOLE, "TIFF", compression="tiff_lzw")[:-2000] + bytes(2000),
    "x.webp": b"RIFF\x20\0\0\0WEBPVP8 " + bytes(30),
    "x.gif": encode(WHOLE, "GIF")[:900] + bytes(50),
    "x.bmp": encode(WHOLE, "BMP")[:200],
}


@BOTH
def test_standard_error_has_the_commands_own_lines_only(
    library: str, tiny_model: Path, tmp_path: Path
) -> None:
    for name, data in DAMAGED.items():
        (tmp_path / name).write_bytes(data)
    code = f"""
import sys
{HIDE[library]}
from crnn_edge.cli.main import main
sys.exit(main(["read", "--model", *sys.argv[1:]]))
"""
    command = [sys.executable, "-c", code, str(tiny_model), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert all(line.startswith("error: cannot read ") for line in lines), done.stderr
    assert len(lines) + done.stdout.count("\n") == len(DAMAGED)


@BOTH
def test_only_regular_files_are_read(library: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    for name, kind in (("fifo.png", "a FIFO"), ("zero.png", "a device")):
        message, _, _ = read_in_child(tmp_path / name, library)
        assert f"{name}: it is {kind}, expected a regular file" in message


def test_a_file_of_too_many_bytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.png"
    WHOLE.save(path)
    monkeypatch.setattr("crnn_edge.images.MAX_BYTES", 100)
    for source in (path, path.read_bytes()):
        with pytest.raises(ImageError, match="more than 100 bytes"):
            read_image(source)
