"""A file against what it came from: what counts as the same, as a loss, and as no answer."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from crnn_edge.backends import open_backend
from crnn_edge.charset import Charset
from crnn_edge.labels import LabelledFolder
from crnn_edge.manifest import DecoderChoice, Manifest, TtaSettings
from crnn_edge.metrics import score
from crnn_edge.recognizer import Recognizer
from quantize.calibration import MIN_CROPS, Crops
from quantize.onnx import replace_manifest
from quantize.tables import pair
from quantize.verify import Contender, VerificationError, compare, compare_all, seal
from tests.quantizing import broken, relabelled
from tests.tiny import CHARSET, Fake, build_tiny, tiny_manifest


def test_a_file_compared_with_itself_is_no_different(model: Path, crops_folder: Path) -> None:
    contender = Contender.open(model)
    comparison = compare(contender, contender, Crops.load(crops_folder))
    assert comparison.max_difference == comparison.mean_difference == 0
    assert comparison.same_text == comparison.candidate.score.exact == 1
    comparison.demand(margin_points=0, tolerance=0)


def test_files_are_judged_with_the_second_looks_that_their_users_get(
    model: Path, crops_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_manifest(model, tiny_manifest().replace(tta=TtaSettings(0.9)))
    batch, looks = Recognizer.batch, []

    def watched(self: Recognizer, images: list) -> list:
        looks.append(self.tta_threshold)
        return batch(self, images)

    monkeypatch.setattr(Recognizer, "batch", watched)
    contender = Contender.open(model)
    compare(contender, contender, Crops.load(crops_folder))
    assert set(looks) == {0.9}


def test_files_are_judged_greedily_because_a_language_model_would_hide_what_they_lost(
    model: Path, crops_folder: Path
) -> None:
    replace_manifest(model, tiny_manifest().replace(decoder=DecoderChoice("nothing")))
    contender = Contender.open(model)
    assert compare(contender, contender, Crops.load(crops_folder)).same_text == 1


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


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("accuracy", ["Ab", "x"], ["y", "x"]),  # which is right but for its case
        ("exact", ["ab", "x"], ["aB", "x"]),
    ],
)
def test_each_of_two_figures_that_falls_alone_is_a_loss(
    name: str, before: list[str], after: list[str], model: Path, crops_folder: Path
) -> None:
    contender = Contender.open(model)
    same = compare(contender, contender, Crops.load(crops_folder))
    sides = [
        dataclasses.replace(same.candidate, score=score(["ab", "z"], readings))
        for readings in (before, after)
    ]
    comparison = dataclasses.replace(same, reference=sides[0], candidate=sides[1])
    comparison.demand(50, tolerance=1)
    for tolerance in (None, 1):
        with pytest.raises(VerificationError) as told:
            comparison.demand(49, tolerance)
        assert f"{name} falls by 50.00 points (margin: 49)" in str(told.value)
        assert str(told.value).count("falls by") == 1


def test_logits_that_are_no_numbers_are_not_the_same(model: Path, crops_folder: Path) -> None:
    contender = Contender.open(model)
    same = compare(contender, contender, Crops.load(crops_folder))
    for difference in (math.nan, math.inf):
        with pytest.raises(VerificationError, match=f"logits differ by {difference}"):
            dataclasses.replace(same, max_difference=difference).demand(100, tolerance=1e-3)


def known(name: str, probs: list[list[float]]) -> Contender:
    """A network that says the same of every picture."""

    class Known(Fake):
        def __call__(self, tensor: np.ndarray) -> np.ndarray:
            return self.logits.repeat(len(tensor), axis=0)

    return Contender(name, Known(np.log(np.array([probs], dtype=np.float32))), 0)


def test_the_divergence_is_the_references_from_the_candidate(crops_folder: Path) -> None:
    rest = [1e-9] * (CHARSET.num_classes - 2)
    reference = known("a", [[0.5, 0.5, *rest], [0.8, 0.2, *rest]])
    candidate = known("b", [[0.9, 0.1, *rest], [0.5, 0.5, *rest]])
    found = compare(reference, candidate, Crops.load(crops_folder))
    # .5 ln(.5 / .9) + .5 ln(.5 / .1), and .8 ln(.8 / .5) + .2 ln(.2 / .5)
    assert found.divergence == pytest.approx((0.510826 + 0.192745) / 2, abs=1e-5)
    assert found.max_difference == pytest.approx(math.log(0.5 / 0.1), abs=1e-5)
    assert found.same_steps == 1  # of equals the first


def test_of_several_calls_the_fastest_counts(
    crops_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    class Slow(Fake):
        """One that takes so many milliseconds in turn."""

        def __init__(self, *takes_ms: int) -> None:
            super().__init__(np.zeros((1, 3, CHARSET.num_classes), np.float32))
            self.takes_ms = itertools.cycle(takes_ms)

        def __call__(self, tensor: np.ndarray) -> np.ndarray:
            nonlocal now
            now += next(self.takes_ms) / 1e3
            return self.logits.repeat(len(tensor), axis=0)

    monkeypatch.setattr("quantize.verify.time.perf_counter", lambda: now)
    reference, candidate = Contender("a", Slow(7, 4, 9), 0), Contender("b", Slow(2, 8, 6), 0)
    (found,) = compare_all(reference, [candidate], Crops.load(crops_folder), calls=3)
    assert found.reference.median_ms == pytest.approx(4)
    assert found.candidate.median_ms == pytest.approx(2)
    assert float(found.ratio) == pytest.approx(0.5)


def test_what_was_measured_before_stays_in_the_manifest(tmp_path: Path, crops_folder: Path) -> None:
    before = {"int8": {"n": 7}, "fp32": {"n": 8}}
    path = build_tiny(tmp_path / "tiny.onnx", tiny_manifest(metrics=before))
    comparison = compare(Contender.open(path), Contender.open(path), Crops.load(crops_folder))
    assert seal(path, comparison, replace_manifest).candidate.selftest.ok
    after = open_backend(path).manifest.metrics
    assert after == {"int8": {"n": 7}, "fp32": comparison.metrics()}
    assert after["fp32"]["n"] == 4 * MIN_CROPS


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
    table = pair(compare(contender, contender, Crops.load(crops_folder)))
    lines = table.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert all(line.count(" | ") == 3 for line in lines if not line.startswith("| -"))


def test_a_file_that_its_manifest_spoils_is_refused(tmp_path: Path, crops_folder: Path) -> None:
    path = build_tiny(tmp_path / "tiny.onnx")
    comparison = compare(Contender.open(path), Contender.open(path), Crops.load(crops_folder))

    def spoil(path: Path, manifest: Manifest) -> None:
        classes = [k if k < 0 else (k + 1) % CHARSET.num_classes for k in manifest.selftest]
        replace_manifest(path, manifest.replace(selftest=classes))

    with pytest.raises(VerificationError, match="reads otherwise once its manifest is written"):
        seal(path, comparison, spoil)


def test_logits_that_are_not_finite_are_a_verdict(tmp_path: Path, crops_folder: Path) -> None:
    right = Contender.open(build_tiny(tmp_path / "tiny.onnx"))

    class NotFinite(Fake):
        def __call__(self, tensor: np.ndarray) -> np.ndarray:
            return right.backend(tensor) * np.float32(np.nan)

    wrong = Contender("wrong", NotFinite(np.empty(0)), 0)
    with pytest.raises(VerificationError, match="wrong gives logits that are not finite"):
        compare(right, wrong, Crops.load(crops_folder))
