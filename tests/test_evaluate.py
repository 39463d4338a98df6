"""What `python -m model.evaluate` says of labels and pictures that it cannot make much of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_tta import Upright
from tiny import crops

from crnn_edge.labels import LabelledFolder
from crnn_edge.manifest import DecoderChoice, TtaSettings
from crnn_edge.preprocess import View
from crnn_edge.recognizer import Recognizer
from model.analysis import error_sheet
from model.analysis.contact_sheet import Cell
from model.analysis.evaluation import score_greedily as measure
from model.evaluate import main


def write(folder: Path, *crops: tuple[str, int, str]) -> Path:
    """Gray pictures of a name, a width and a label."""
    folder.mkdir(exist_ok=True)
    for name, width, _ in crops:
        Image.fromarray(np.full((32, width), 128, np.uint8)).save(folder / name)
    lines = (f"{name}\t{text}\n" for name, _, text in crops)
    (folder / "labels.tsv").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.mark.parametrize("at", [1, 300])
def test_a_picture_that_is_too_wide_is_named(at: int, tiny_model, tmp_path, capsys) -> None:
    good = [("good.png", 90, "a")] * at
    crops = write(tmp_path / "crops", *good, ("long.png", 9000, "b"), ("good.png", 90, "a"))
    assert main([str(tiny_model), str(crops)]) == 1
    assert f"error: {crops / 'long.png'}: an image of 9000×32 px" in capsys.readouterr().err


def test_a_picture_of_an_lmdb_is_told_by_its_number(tiny_model, tmp_path, capsys) -> None:
    from test_datasets import write_lmdb

    from crnn_edge.labels import LabelledFolder

    crops = write(tmp_path / "crops", ("good.png", 90, "a"), ("long.png", 9000, "b"))
    write_lmdb(tmp_path / "lmdb", LabelledFolder(crops))
    assert main([str(tiny_model), str(tmp_path / "lmdb")]) == 1
    assert f"error: {tmp_path / 'lmdb'}, number 2: an image" in capsys.readouterr().err


def test_labels_that_hardly_any_reading_equals_are_told_and_count(
    tiny_model, tmp_path, capsys
) -> None:
    crops = write(tmp_path / "a", ("a.png", 90, ""), ("b.png", 90, "é"), ("c.png", 90, "ab"))
    assert main([str(tiny_model), str(crops), "--json"]) == 0
    told = capsys.readouterr()
    assert f"{crops}: of 3 labels 1 are empty and 1 contain characters outside the charset" in (
        told.err
    )
    assert "('é'); they count, too" in told.err
    assert json.loads(told.out)["n"] == 3
    assert main([str(tiny_model), str(write(tmp_path / "b", ("c.png", 90, "ab")))]) == 0
    assert "they count" not in capsys.readouterr().err


def test_the_worst_misreadings_of_symbols_are_those_with_most_symbols_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    music = Path(__file__).parents[1] / "examples" / "music"
    scores = LabelledFolder(music / "images")
    one, two = scores.texts[0].split(), scores.texts[1].split()
    del one[-1]  # one symbol, of many characters
    two[-2:] = [two[-2][:-1] + "9", two[-1] + "!"]
    lines = [
        f"{path}\t{' '.join(label)}\n"
        for path, label in zip(scores.paths[:2], (one, two), strict=True)
    ]
    (tmp_path / "labels.tsv").write_text("".join(lines))
    cells: list[Cell] = []
    monkeypatch.setattr(error_sheet, "contact_sheet", lambda drawn, _: cells.extend(drawn))
    assert main([str(music / "crnn-score.onnx"), str(tmp_path), "--errors", "x.png"]) == 0
    labels = ["".join(span.text for span in cell.above[0]) for cell in cells]
    assert [label.replace("▁", "").split() for label in labels] == [two, one]


def test_a_sheet_that_cannot_be_written_is_told_before_any_work(
    tiny_model, tmp_path, capsys
) -> None:
    crops = write(tmp_path / "crops", ("a.png", 90, "ab"))
    for sheet, reason in (
        (tmp_path / "none" / "e.png", "there is no folder"),
        (tmp_path / "e.jpg", "expected the name of a .png file"),
        (tmp_path, "expected the name of a .png file"),
    ):
        assert main([str(tiny_model), str(crops), "--errors", str(sheet)]) == 1
        told = capsys.readouterr()
        assert reason in told.err
        assert not told.out


def test_a_sheet_without_misreadings_is_told_to_be_empty(tiny_model, tmp_path, capsys) -> None:
    image = np.full((32, 90), 128, np.uint8)
    text = Recognizer.load(tiny_model)(image).text
    crops = write(tmp_path / "crops", ("a.png", 90, text))
    assert main([str(tiny_model), str(crops), "--errors", str(tmp_path / "e.png")]) == 0
    assert "there are no errors" in capsys.readouterr().err


def test_a_network_is_measured_by_its_first_look() -> None:
    image = crops(1, seed=5)[0]
    backend = Upright(image, View(0.75), tta=TtaSettings(0.6))
    assert Recognizer(backend)(image).text == "ab"  # at the second look that it recommends
    backend.calls = 0
    assert measure(backend, [(image, "ab")] * 3).exact == 0
    assert backend.calls == 1


def test_a_network_is_measured_greedily_whatever_decoder_it_recommends() -> None:
    image = crops(1, seed=5)[0]
    assert measure(Upright(image, decoder=DecoderChoice("nothing")), [(image, "ab")]).exact == 1


def test_labels_with_spaces_around_them_are_told(tiny_model, tmp_path, capsys) -> None:
    crops = write(tmp_path / "crops", ("a.png", 90, " ab"), ("b.png", 90, "ab"))
    assert main([str(tiny_model), str(crops)]) == 0
    assert "1 begin or end with a space" in capsys.readouterr().err


def test_swapped_arguments_are_told(tiny_model, tmp_path, capsys) -> None:
    crops = write(tmp_path / "crops", ("a.png", 90, "ab"))
    assert main([str(crops), str(tiny_model)]) == 1
    assert "give the model first, then the data" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(tiny_model), "--pad", "0.5", str(crops)])
    assert "give the model and the data before" in capsys.readouterr().err
