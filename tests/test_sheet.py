from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_edge.errors import CrnnError
from model.analysis.contact_sheet import Cell, Span, contact_sheet


def captioned(caption: str, folder: Path) -> np.ndarray:
    lines = tuple((Span(line),) for line in caption.split("\n"))
    contact_sheet([Cell(np.full((32, 100), 255, np.uint8), below=lines)], folder / "sheet.png")
    with Image.open(folder / "sheet.png") as sheet:
        return np.asarray(sheet)


@pytest.mark.parametrize("letters", ["Ωω", "Жж", "ßž", "→₂"])
def test_captions_show_letters_of_other_scripts(letters: str, tmp_path: Path) -> None:
    unknown = "\U0010ffff"  # no font has it: drawn as a box
    boxes = captioned(unknown * len(letters), tmp_path)
    assert not np.array_equal(captioned(letters, tmp_path), boxes)
    assert not np.array_equal(captioned(letters[0], tmp_path), captioned(letters[1], tmp_path))


def test_a_caption_stays_in_its_cell(tmp_path: Path) -> None:
    blank, sheet = (captioned(text, tmp_path) for text in ("\n", "Ágjpqy 32 px\nÁgjpqy 32 px"))
    drawn = np.argwhere((sheet != blank).any(axis=2))
    assert drawn[:, 0].min() >= 52  # below the picture
    assert drawn[:, 0].max() < sheet.shape[0] - 4


def test_a_caption_too_long_for_its_cell_ends_with_it(tmp_path: Path) -> None:
    white = np.full((32, 40), 255, np.uint8)
    texts = ["I" * 400, *["."] * 8]
    contact_sheet([Cell(white, below=((Span(text),),)) for text in texts], tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as file:
        sheet = np.asarray(file.convert("L"))
    assert sheet.shape[1] == 1440
    inked = np.flatnonzero((sheet[:80] < 128).any(axis=0))
    assert inked[inked < 180].max() in range(150, 173)


@pytest.mark.parametrize(("width", "columns"), [(100, 8), (400, 3), (9000, 1)])
def test_long_pictures_get_wide_cells(width: int, columns: int, tmp_path: Path) -> None:
    contact_sheet([Cell(np.zeros((52, width), np.uint8))] * 3, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as file:
        sheet = np.asarray(file.convert("L"))
    begins = np.flatnonzero(np.diff((sheet[10] < 128).astype(int), prepend=0) == 1)
    assert begins.tolist() == [6 + k * (1440 // columns) for k in range(min(columns, 3))]


def test_a_sheet_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "sheet.png").mkdir()
    with pytest.raises(CrnnError, match=r"cannot write .*sheet\.png"):
        contact_sheet([], tmp_path / "sheet.png")
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_a_sheet_of_nothing_is_a_sheet(tmp_path: Path) -> None:
    contact_sheet([], tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as file:
        assert file.size == (1440, 86)
