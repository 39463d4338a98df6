"""Folders of pictures with their texts: read as written, or refused by their line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_edge.errors import ImageError
from crnn_edge.images import list_images
from crnn_edge.labels import LabelledFolder

RGB = np.arange(12 * 20 * 3, dtype=np.uint8).reshape(12, 20, 3)


@pytest.mark.parametrize("find", [list_images, LabelledFolder])
def test_the_empty_path_is_not_the_current_folder(
    find: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(labelled(tmp_path, "labels.tsv", b"0.png\ta\n"))
    assert len(find(".")) > 0
    with pytest.raises(ImageError, match=r"(got an empty path|no such image or folder: '')"):
        find("")


def labelled(folder: Path, name: str, labels: bytes) -> Path:
    for k in range(3):
        Image.fromarray(RGB + np.uint8(k)).save(folder / f"{k}.png")
    (folder / name).write_bytes(labels)
    return folder


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("labels.tsv", b'0.png\ta,"b\n2.png\tx\ty\n\n1.png\t\n'),
        ("labels.tsv", b'\xef\xbb\xbf0.png\ta,"b\r\n2.png\tx\ty\r\n1.png\t'),
        ("labels.csv", b'file,text\n0.png,"a,""b"\n2.png,x\ty\n\n1.png,\n'),
        ("labels.csv", b'0.png,"a,""b"\r\n2.png,x\ty\r\n1.png,""\r\n'),
    ],
)
def test_labels_are_read_as_written(tmp_path: Path, name: str, labels: bytes) -> None:
    folder = LabelledFolder(labelled(tmp_path, name, labels))
    assert folder.texts == ['a,"b', "x\ty", ""]
    assert [path.name for path in folder.paths] == ["0.png", "2.png", "1.png"]
    assert len(folder) == 3
    image, text = folder[1]
    np.testing.assert_array_equal(image, RGB + np.uint8(2))
    assert text == "x\ty"
    assert [text for _, text in folder[-2:]] == ["x\ty", ""]
    assert len(list(folder)) == 3


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (b"0.png\ta\n1.png b\n", "line 2: expected a file and its label"),
        (b"0.png\ta\n9.png\tb\n", "line 2: no such image: .*9.png"),
        (b"\ta\n", "line 1: expected a file"),
        (b"\n\n", "lists no images"),
        (b"0.png\t\xff\n", "as UTF-8 text"),
        (b"0.png\ta\n1.png\tb\n0.png\tc\n", "line 3: 0.png is labeled 'c', but 'a' further above"),
    ],
)
def test_bad_labels_are_refused_by_line(tmp_path: Path, labels: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        LabelledFolder(labelled(tmp_path, "labels.tsv", labels))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (b'0.png,"a\n1.png,b\n', r"labels\.csv, line 2: .*unclosed quote\?"),
        (b'0.png,"a\n1.png,b"\n', r"line 2: label contains a line break: 'a\\n1\.png,b'"),
        (b"File,Text\n0.png,a\n", r"line 1: no such image: .*File \(or is this a header\?"),
    ],
)
def test_what_is_wrong_with_a_csv_is_told(tmp_path: Path, labels: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        LabelledFolder(labelled(tmp_path, "labels.csv", labels))


def test_a_picture_may_be_listed_twice_as_the_same(tmp_path: Path) -> None:
    folder = LabelledFolder(labelled(tmp_path, "labels.tsv", b"0.png\ta\n0.png\ta\n"))
    assert folder.texts == ["a", "a"]


@pytest.mark.parametrize("other", ["./0.png", "sub/../0.png", ".//0.png"])
def test_an_image_under_two_names_is_one_image(tmp_path: Path, other: str) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(ImageError, match=r"line 2: .*0\.png is labeled 'b', but 'a' further above"):
        LabelledFolder(labelled(tmp_path, "labels.tsv", f"0.png\ta\n{other}\tb\n".encode()))


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("cafe\u0301", True),
        ("u\u0308ber", True),
        ("café", False),
        ("\u0958", False),
        ("ש\u05b8", False),
    ],
)
def test_decomposed_accents_are_reported(
    text: str, reported: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = LabelledFolder(labelled(tmp_path, "labels.tsv", f"0.png\ta\n1.png\t{text}\n".encode()))
    assert folder.texts == ["a", text]
    assert ("1 labels, first in line 2, are decomposed Unicode" in caplog.text) == reported


def test_what_is_no_folder_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"labels\.tsv is a file: pass the folder"):
        LabelledFolder(labelled(tmp_path, "labels.tsv", b"0.png\ta\n") / "labels.tsv")
    with pytest.raises(ImageError, match="none does not exist"):
        LabelledFolder(tmp_path / "none")


def test_a_folder_needs_exactly_one_label_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="it has neither"):
        LabelledFolder(tmp_path)
    labelled(tmp_path, "labels.tsv", b"0.png\ta\n")
    labelled(tmp_path, "labels.csv", b"0.png,a\n")
    with pytest.raises(ImageError, match="it has both"):
        LabelledFolder(tmp_path)


@pytest.mark.parametrize("name", ["x" * 300, "x\0y"])
def test_a_name_that_no_file_can_have_is_refused_by_its_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="line 1: no such image"):
        LabelledFolder(labelled(tmp_path, "labels.tsv", f"{name}\ta\n".encode()))
