from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data.sheet import contact_sheet


def captioned(caption: str, folder: Path) -> np.ndarray:
    contact_sheet([np.full((32, 100), 255, np.uint8)], [caption], folder / "sheet.png")
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
