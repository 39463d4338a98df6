from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_edge.errors import EngineError, ImageError
from crnn_edge.images import list_images, read_image

RGB = np.arange(12 * 20 * 3, dtype=np.uint8).reshape(12, 20, 3)
LIBRARIES = ("pillow", pytest.param("opencv", marks=pytest.mark.opencv))
Read = Callable[[str | Path | bytes], np.ndarray]


@pytest.fixture(params=LIBRARIES)
def read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Read:
    """`read_image` with each library alone, as if the other were not installed."""
    hidden = {"pillow": ["cv2"], "opencv": ["PIL", "PIL.Image"]}[request.param]

    def read(source: str | Path | bytes) -> np.ndarray:
        with monkeypatch.context() as patch:
            for name in hidden:
                patch.setitem(sys.modules, name, None)
            return read_image(source)

    return read


def encode(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def test_colors_come_as_rgb(read: Read) -> None:
    np.testing.assert_array_equal(read(encode(Image.fromarray(RGB))), RGB)


def test_gray_stays_gray(read: Read) -> None:
    np.testing.assert_array_equal(read(encode(Image.fromarray(RGB[..., 0]))), RGB[..., 0])


def test_one_pixel_is_a_picture(read: Read) -> None:
    assert read(encode(Image.fromarray(RGB[:1, :1]))).shape == (1, 1, 3)


def test_transparency_is_blended_on_white(read: Read) -> None:
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[:, 1, 3], rgba[:, 2, 3] = 128, 255
    image = read(encode(Image.fromarray(rgba)))
    assert image[0].tolist() == [[255] * 3, [127] * 3, [0] * 3]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_every_ink_on_transparent_ground_is_seen(read: Read, kind: str) -> None:
    alpha = np.zeros((24, 40), np.uint8)
    alpha[6:18, 5:30:5] = 255
    options = {"lossless": True} if kind == "WEBP" else {}
    for level, ground in ((0, 255), (128, 255), (255, 0), (250, 0)):
        rgba = np.dstack([np.full_like(alpha, level)] * 3 + [alpha])
        image = read(encode(Image.fromarray(rgba, "RGBA"), kind, **options))
        assert np.unique(image[alpha == 0]).tolist() == [ground]
        assert np.unique(image[alpha == 255]).tolist() == [level]


def test_an_opaque_white_image_stays_white(read: Read) -> None:
    assert read(encode(Image.new("RGBA", (4, 4), (255, 255, 255, 255)))).min() == 255


def test_16_bit_levels_are_scaled(read: Read) -> None:
    levels = np.array([[0, 257, 32768, 65535]], np.uint16)
    assert read(encode(Image.fromarray(levels))).tolist() == [[0, 1, 128, 255]]


def test_a_palette_is_looked_up(read: Read) -> None:
    picture = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    picture.putpalette([10, 20, 30, 200, 100, 50])
    assert read(encode(picture)).tolist() == [[[10, 20, 30], [200, 100, 50]]]


def test_a_transparent_palette_is_blended() -> None:
    picture = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    picture.putpalette([10, 20, 30, 200, 100, 50])
    found = read_image(encode(picture, transparency=0))
    assert found.tolist() == [[[255, 255, 255], [200, 100, 50]]]


def test_black_and_white_is_gray(read: Read) -> None:
    bits = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    assert read(encode(bits)).tolist() == [[0, 255], [255, 0]]


def test_ink_colors_come_as_rgb() -> None:
    picture = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    red = read_image(encode(picture, "JPEG"))[0, 0]
    assert red[0] > 200 > 100 > red[1]


def test_the_cameras_orientation_note_is_obeyed(read: Read) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to see it upright
    data = encode(Image.fromarray(np.zeros((8, 24, 3), np.uint8)), "JPEG", exif=exif)
    assert read(data).shape == (24, 8, 3)


def test_floating_point_levels_are_refused() -> None:
    data = encode(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF")
    with pytest.raises(ImageError, match="floating-point pixels"):
        read_image(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_truncated_picture_is_refused(read: Read, kind: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encode(Image.fromarray(noise), kind)
    path = tmp_path / "cut.img"
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ImageError, match=r"cannot read .*cut\.img: .*truncated"):
        read(path)


@pytest.mark.parametrize("data", [b"no picture at all", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_garbage_is_refused_in_one_line(read: Read, data: bytes) -> None:
    with pytest.raises(ImageError, match=rf"cannot read an image of {len(data)} bytes: ") as caught:
        read(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_bytes_of_a_picture_may_lie_in_any_buffer(kind: Callable[[bytes], bytes]) -> None:
    np.testing.assert_array_equal(read_image(kind(encode(Image.fromarray(RGB)))), RGB)
    with pytest.raises(ImageError, match="cannot read an image of 9 bytes: not an image"):
        read_image(kind(b"\xff" * 9))


@pytest.mark.parametrize(
    ("source", "kind"), [(RGB, "ndarray"), (list(b"\xff\xd8"), "list"), (None, "NoneType")]
)
def test_what_is_neither_a_path_nor_bytes_is_refused(source: object, kind: str) -> None:
    with pytest.raises(
        ImageError, match=rf"expected .*an array is an image already\), got {kind}$"
    ):
        read_image(source)


def test_missing_empty_and_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match=r"empty\.png: the file is empty"):
        read_image(tmp_path / "empty.png")
    with pytest.raises(ImageError, match=r"none\.png: No such file"):
        read_image(str(tmp_path / "none.png"))
    with pytest.raises(ImageError, match="Is a directory"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="null"):
        read_image("a\0b")


@pytest.mark.host
def test_a_picture_bomb_is_refused() -> None:
    data = encode(Image.new("1", (20_000, 20_000)))
    with pytest.raises(ImageError, match="cannot read"):
        read_image(data)


def test_without_any_library_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PIL", "PIL.Image", "cv2"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineError, match=r"neither is installed: pip install '\.\[images\]'"):
        read_image(b"x")


def test_folders_are_listed_deeply_and_sorted(tmp_path: Path) -> None:
    for name in ("b.png", "a/z.JPG", "a/notes.txt", "a.gif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [p.relative_to(tmp_path).as_posix() for p in list_images(tmp_path)]
    assert names == ["a/z.JPG", "a.gif", "b.png"]
    assert list_images(tmp_path / "a/notes.txt") == [tmp_path / "a/notes.txt"]


def test_uncommon_suffixes_are_listed_or_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for suffix in ("png", "jfif", "jpe", "avif", "jp2", "JP2", "pgm", "pbm", "txt"):
        (tmp_path / f"x.{suffix}").touch()
    names = [path.name for path in list_images(tmp_path)]
    assert names == ["x.jfif", "x.jpe", "x.pbm", "x.pgm", "x.png"]
    assert "files not read: 1 .avif, 2 .jp2 (formats that are read: BMP" in caplog.text


@pytest.mark.parametrize("kind", ["PPM", "JPEG"])
@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_uncommon_formats_are_read(read: Read, kind: str, mode: str) -> None:
    picture = Image.new(mode, (20, 12), 0)
    assert read(encode(picture.convert("L") if kind == "JPEG" else picture, kind)).max() == 0


def test_a_folder_that_cannot_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "closed/b.png", "open/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scandir = os.scandir

    def refuse(path: str) -> object:  # permissions do not hold for root
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ImageError, match=r"cannot list the folder .*closed: Permission denied"):
        list_images(tmp_path)
    errors: list[ImageError] = []
    names = [path.name for path in list_images(tmp_path, errors.append)]
    assert (names, len(errors)) == (["a.png", "c.png"], 1)


def test_nothing_to_list_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no images in"):
        list_images(tmp_path)
    with pytest.raises(ImageError, match="no such image or folder"):
        list_images(tmp_path / "none")


@pytest.mark.opencv
def test_floating_point_levels_are_refused_by_either_library(monkeypatch) -> None:
    data = encode(Image.fromarray(np.full((4, 4), 0.5, np.float32)), "TIFF")
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImageError, match="floating-point pixels"):
        read_image(data)
