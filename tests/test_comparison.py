"""A file against what it came from: what counts as the same, as a loss, and as no answer."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import pytest

from quantize.calibration import Crops
from quantize.onnx import restamp
from quantize.verify import Contender, VerificationError, compare
from runtime.charset import Charset
from runtime.labels import LabelledFolder
from runtime.metrics import score
from runtime.recognizer import Recognizer
from tests.quantizing import broken, relabelled
from tests.tiny import CHARSET, build_tiny, tiny_manifest


def test_a_file_compared_with_itself_is_no_different(model: Path, crops_folder: Path) -> None:
    contender = Contender.open(model)
    comparison = compare(contender, contender, Crops.load(crops_folder))
    assert comparison.max_difference == comparison.mean_difference == 0
    assert comparison.same_text == comparison.candidate.score.exact == 1
    comparison.demand(margin_points=0, tolerance=0)


def test_files_are_judged_with_the_second_looks_that_their_users_get(
    model: Path, crops_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restamp(model, tiny_manifest().replace(look_again=0.9))
    batch, looks = Recognizer.batch, []

    def watched(self: Recognizer, images: list) -> list:
        looks.append(self.look_again)
        return batch(self, images)

    monkeypatch.setattr(Recognizer, "batch", watched)
    contender = Contender.open(model)
    compare(contender, contender, Crops.load(crops_folder))
    assert set(looks) == {0.9}


def test_symbols_are_counted_whole(tmp_path: Path, crops_folder: Path) -> None:
    symbols = Charset(tuple(f"note-{token}" for token in CHARSET.tokens), " ")
    contender = Contender.open(build_tiny(tmp_path / "x.onnx", tiny_manifest(charset=symbols)))
    readings, truths, pictures = [], [], LabelledFolder(crops_folder)
    with (tmp_path / "labels.tsv").open("w") as labels:
        for path, text in zip(pictures.paths, pictures.texts, strict=True):
            (tmp_path / path.name).write_bytes(path.read_bytes())
            spelt = [f"note-{token}" for token in text]
            readings.append(symbols.join(spelt))
            truths.append(symbols.join(spelt[:-1]))
            labels.write(f"{path.name}\t{truths[-1]}\n")
    scored = compare(contender, contender, Crops.load(tmp_path)).candidate.score
    assert scored == score(truths, readings, symbols)
    assert scored != score(truths, readings)


@pytest.mark.parametrize(("margin", "passes"), [(1, True), (0.99, False)])
def test_a_loss_of_just_the_margin_passes(
    margin: float, passes: bool, model: Path, crops_folder: Path
) -> None:
    contender = Contender.open(model)
    same = compare(contender, contender, Crops.load(crops_folder))
    texts = ["a"] * 100
    sides = [
        dataclasses.replace(
            same.candidate, score=score(texts, ["a"] * right + ["b"] * (100 - right))
        )
        for right in (14, 13)  # 0.14 - 0.13 is a little more than 0.01
    ]
    comparison = dataclasses.replace(same, reference=sides[0], candidate=sides[1])
    with contextlib.nullcontext() if passes else pytest.raises(VerificationError, match="falls by"):
        comparison.demand(margin, tolerance=None)


def test_crops_that_not_even_the_reference_reads_judge_no_int8_file(
    model: Path, crops_folder: Path, tmp_path: Path
) -> None:
    wrong = relabelled(crops_folder, tmp_path / "wrong", 0)
    contender = Contender.open(model)
    comparison = compare(contender, contender, Crops.load(wrong))
    comparison.demand(0, tolerance=0)  # logits tell enough
    with pytest.raises(VerificationError, match="itself reads none of them as they are labelled"):
        comparison.demand(0, tolerance=None)


def test_empty_labels_judge_nothing(crops_folder: Path, tmp_path: Path) -> None:
    folder = relabelled(crops_folder, tmp_path / "some", 30)
    labels = folder / "labels.tsv"
    labels.write_text(labels.read_text().replace("Ω", ""))
    assert len(Crops.load(folder).spelt(tiny_manifest().charset)) == 30


def test_a_worse_file_is_refused_with_figures(model: Path, crops_folder: Path) -> None:
    worse = broken(model, model.with_name("worse.onnx"))
    comparison = compare(Contender.open(model), Contender.open(worse), Crops.load(crops_folder))
    with pytest.raises(VerificationError, match=r"exact falls by .* points \(margin: 1\)"):
        comparison.demand(margin_points=1, tolerance=None)
    with pytest.raises(VerificationError, match="logits differ by"):
        comparison.demand(margin_points=100, tolerance=1e-3)


def test_files_of_two_models_are_not_compared(model: Path, crops_folder: Path) -> None:
    other = build_tiny(model.with_name("other.onnx"), tiny_manifest(stride=8))
    with pytest.raises(VerificationError, match="same checkpoint"):
        compare(Contender.open(model), Contender.open(other), Crops.load(crops_folder))


def test_the_table_has_its_columns_in_line(model: Path, crops_folder: Path) -> None:
    contender = Contender.open(model)
    table = compare(contender, contender, Crops.load(crops_folder)).table()
    lines = table.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert all(line.count(" | ") == 3 for line in lines if not line.startswith("|-"))
