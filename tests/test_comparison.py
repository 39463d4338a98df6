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
from crnn_edge.decoders import beam
from crnn_edge.decoders.base import Hypothesis
from crnn_edge.labels import LabelledFolder
from crnn_edge.manifest import DecoderChoice, Manifest, TtaSettings
from crnn_edge.metrics import score
from crnn_edge.recognizer import Recognizer
from quantize.calibration import MIN_CROPS, LabelledCrops
from quantize.compare import ModelUnderTest, compare, compare_all
from quantize.comparison import Comparison, VerificationError
from quantize.formats.base import ModelFormat
from quantize.formats.onnx import FORMAT, replace_manifest
from quantize.paired_test import PairedCounts
from quantize.tables import pair
from quantize.verify import finalize
from tests.quantizing import broken, relabelled
from tests.tiny import CHARSET, Fake, build_tiny, tiny_manifest

load, opened = LabelledCrops.load, ModelUnderTest.open


def test_a_file_compared_with_itself_is_no_different(model: Path, crops_folder: Path) -> None:
    under_test = opened(model)
    comparison = compare(under_test, under_test, load(crops_folder))
    assert comparison.max_difference == comparison.mean_difference == 0
    assert comparison.text_agreement == comparison.candidate.score.exact == 1
    comparison.check_drop(max_drop=0, tolerance=0)


def test_texts_are_those_of_the_decoder_and_the_tta_that_the_manifest_ships(
    model: Path, crops_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = DecoderChoice("beam")
    replace_manifest(model, tiny_manifest().replace(decoder=decoder, tta=TtaSettings(0.9)))
    batch, recognizers = Recognizer.batch, []

    def watched(self: Recognizer, images: list) -> list:
        recognizers.append((type(self.decoder), self.tta_threshold))
        return batch(self, images)

    monkeypatch.setattr(Recognizer, "batch", watched)
    under_test = opened(model)
    result = compare(under_test, under_test, load(crops_folder)).candidate
    assert set(recognizers) == {(beam.Decoder, 0.9)}
    assert result.decoder == "beam, TTA below 0.9"


def test_greedy_texts_are_beside_those_of_the_shipped_decoder(
    model: Path, crops_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(
        self: beam.Decoder, log_probs: np.ndarray, lengths: object = None
    ) -> list[list[Hypothesis]]:
        return [[Hypothesis.of([], rows)] for rows in log_probs]

    monkeypatch.setattr(beam.Decoder, "__call__", blind)
    replace_manifest(model, tiny_manifest().replace(decoder=DecoderChoice("beam")))
    under_test = opened(model)
    comparison = compare(under_test, under_test, load(crops_folder))
    assert (comparison.candidate.score.exact, comparison.candidate.greedy.exact) == (0, 1)
    assert comparison.metrics()["greedy"] == comparison.candidate.greedy.to_dict()
    table = pair(comparison)
    assert "greedy: exact" in table
    assert "100.00" in table
    with pytest.raises(VerificationError, match="0 % accuracy"):  # the shipped decoder counts
        comparison.check_drop(0, tolerance=None)


def test_symbols_are_counted_whole(tmp_path: Path, crops_folder: Path) -> None:
    symbols = Charset(tuple(f"note-{token}" for token in CHARSET.tokens), " ")
    under_test = opened(build_tiny(tmp_path / "x.onnx", tiny_manifest(charset=symbols)))
    predictions, expected, pictures = [], [], LabelledFolder(crops_folder)
    with (tmp_path / "labels.tsv").open("w") as labels:
        for path, text in zip(pictures.paths, pictures.texts, strict=True):
            (tmp_path / path.name).write_bytes(path.read_bytes())
            spelt = [f"note-{token}" for token in text]
            predictions.append(symbols.join(spelt))
            expected.append(symbols.join(spelt[:-1]))
            labels.write(f"{path.name}\t{expected[-1]}\n")
    scored = compare(under_test, under_test, load(tmp_path)).candidate.score
    assert scored == score(expected, predictions, symbols)
    assert scored != score(expected, predictions)


def changed(same: Comparison, **counts: PairedCounts) -> Comparison:
    return dataclasses.replace(same, changes={**same.changes, **counts})


@pytest.fixture
def same(model: Path, crops_folder: Path) -> Comparison:
    under_test = opened(model)
    return compare(under_test, under_test, load(crops_folder))


@pytest.mark.parametrize(("max_drop", "passes"), [(7, True), (6.99, False)])
def test_a_loss_of_just_what_is_allowed_passes(
    same: Comparison, max_drop: float, passes: bool
) -> None:
    comparison = changed(same, exact=PairedCounts(100, 8, 1))  # p = 0.02
    with contextlib.nullcontext() if passes else pytest.raises(VerificationError, match="falls by"):
        comparison.check_drop(max_drop, tolerance=None)


@pytest.mark.parametrize("name", ["accuracy", "exact"])
def test_each_of_two_figures_that_falls_alone_is_a_loss(same: Comparison, name: str) -> None:
    comparison = changed(same, **{name: PairedCounts(20, 10, 0)})
    comparison.check_drop(50, tolerance=1)
    for tolerance in (None, 1):
        with pytest.raises(VerificationError) as error:
            comparison.check_drop(49, tolerance)
        assert f"{name} falls by 50.00 points (allowed: 49; 10 of 20 crops lost" in str(error.value)
        assert str(error.value).count("falls by") == 1
        assert ("--mixed-precision" in str(error.value)) == (tolerance is None)
        assert ("--max-drop POINTS" in str(error.value)) == (tolerance is None)


def test_a_loss_that_may_be_chance_is_no_reason_to_refuse_but_is_reported(
    same: Comparison,
) -> None:
    comparison = changed(same, exact=PairedCounts(40, 1, 0))  # 2.5 points
    comparison.check_drop(1, tolerance=None)
    (message,) = comparison.unproven_drops(1)
    assert "exact falls by 2.50 points, more than 1, but this may be chance" in message
    assert "1 of 40 crops lost, 0 gained, p = 0.5" in message
    assert not comparison.unproven_drops(2.5)


@pytest.mark.parametrize(
    ("lost", "gained", "p"),
    [(0, 0, 1), (1, 0, 0.5), (5, 0, 1 / 32), (3, 1, 5 / 16), (2, 2, 11 / 16)],
)
def test_the_p_value_is_the_upper_tail_of_a_fair_coin(lost: int, gained: int, p: float) -> None:
    assert PairedCounts(40, lost, gained).p_value == pytest.approx(p)


def test_lost_and_gained_crops_are_counted() -> None:
    reference, candidate = [True, True, False, False, True], [True, False, True, False, False]
    assert PairedCounts.count(reference, candidate) == PairedCounts(5, 2, 1)
    assert PairedCounts(5, 2, 1).drop_points == 20


def test_logits_that_are_no_numbers_are_not_the_same(model: Path, crops_folder: Path) -> None:
    under_test = opened(model)
    same = compare(under_test, under_test, load(crops_folder))
    for difference in (math.nan, math.inf):
        with pytest.raises(VerificationError, match=f"logits differ by {difference}"):
            dataclasses.replace(same, max_difference=difference).check_drop(100, tolerance=1e-3)


def known(name: str, probs: list[list[float]]) -> ModelUnderTest:
    """A network that says the same of every picture."""

    class Known(Fake):
        def __call__(self, tensor: np.ndarray) -> np.ndarray:
            return self.logits.repeat(len(tensor), axis=0)

    return ModelUnderTest(name, Known(np.log(np.array([probs], dtype=np.float32))), 0)


def test_the_divergence_is_the_references_from_the_candidate(crops_folder: Path) -> None:
    rest = [1e-9] * (CHARSET.num_classes - 2)
    reference = known("a", [[0.5, 0.5, *rest], [0.8, 0.2, *rest]])
    candidate = known("b", [[0.9, 0.1, *rest], [0.5, 0.5, *rest]])
    found = compare(reference, candidate, load(crops_folder))
    # .5 ln(.5 / .9) + .5 ln(.5 / .1), and .8 ln(.8 / .5) + .2 ln(.2 / .5)
    assert found.kl_divergence == pytest.approx((0.510826 + 0.192745) / 2, abs=1e-5)
    assert found.max_difference == pytest.approx(math.log(0.5 / 0.1), abs=1e-5)
    assert found.top1_agreement == 1  # of equals the first


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

    monkeypatch.setattr("quantize.compare.time.perf_counter", lambda: now)
    reference = ModelUnderTest("a", Slow(7, 4, 9), 0)
    candidate = ModelUnderTest("b", Slow(2, 8, 6), 0)
    (found,) = compare_all(reference, [candidate], load(crops_folder), calls=3)
    assert found.reference.median_ms == pytest.approx(4)
    assert found.candidate.median_ms == pytest.approx(2)
    assert float(found.latency_ratio) == pytest.approx(0.5)


def test_what_was_measured_before_stays_in_the_manifest(tmp_path: Path, crops_folder: Path) -> None:
    before = {"int8": {"n": 7}, "fp32": {"n": 8}}
    path = build_tiny(tmp_path / "tiny.onnx", tiny_manifest(metrics=before))
    comparison = compare(opened(path), opened(path), load(crops_folder))
    assert finalize(path, comparison, FORMAT).candidate.selftest.ok
    after = open_backend(path).manifest.metrics
    assert after == {"int8": {"n": 7}, "fp32": comparison.metrics()}
    assert after["fp32"]["n"] == 4 * MIN_CROPS


def test_crops_that_the_reference_never_reads_right_verify_no_int8_file(
    model: Path, crops_folder: Path, tmp_path: Path
) -> None:
    wrong = relabelled(crops_folder, tmp_path / "wrong", 0)
    under_test = opened(model)
    comparison = compare(under_test, under_test, load(wrong))
    comparison.check_drop(0, tolerance=0)  # logits tell enough
    with pytest.raises(VerificationError, match="has 0 % accuracy on the validation set"):
        comparison.check_drop(0, tolerance=None)


def test_crops_with_empty_labels_are_left_out(crops_folder: Path, tmp_path: Path) -> None:
    folder = relabelled(crops_folder, tmp_path / "some", 30)
    labels = folder / "labels.tsv"
    labels.write_text(labels.read_text().replace("Ω", ""))
    assert len(load(folder).encodable(tiny_manifest().charset)) == 30


def test_a_worse_file_is_refused_with_figures(model: Path, crops_folder: Path) -> None:
    worse = broken(model, model.with_name("worse.onnx"))
    comparison = compare(opened(model), opened(worse), load(crops_folder))
    with pytest.raises(VerificationError, match=r"exact falls by .* points \(allowed: 1; "):
        comparison.check_drop(max_drop=1, tolerance=None)
    with pytest.raises(VerificationError, match="logits differ by"):
        comparison.check_drop(max_drop=100, tolerance=1e-3)


def test_files_of_two_models_are_not_compared(model: Path, crops_folder: Path) -> None:
    other = build_tiny(model.with_name("other.onnx"), tiny_manifest(stride=8))
    with pytest.raises(VerificationError, match="same checkpoint"):
        compare(opened(model), opened(other), load(crops_folder))


def test_the_table_has_its_columns_in_line(model: Path, crops_folder: Path) -> None:
    under_test = opened(model)
    table = pair(compare(under_test, under_test, load(crops_folder)))
    lines = table.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert all(line.count(" | ") == 3 for line in lines if not line.startswith("| -"))


def test_a_file_that_its_manifest_spoils_is_refused(tmp_path: Path, crops_folder: Path) -> None:
    path = build_tiny(tmp_path / "tiny.onnx")
    comparison = compare(opened(path), opened(path), load(crops_folder))

    def spoil(path: Path, manifest: Manifest) -> None:
        classes = [k if k < 0 else (k + 1) % CHARSET.num_classes for k in manifest.selftest]
        replace_manifest(path, manifest.replace(selftest=classes))

    with pytest.raises(VerificationError, match="gives other results once its manifest is written"):
        finalize(path, comparison, ModelFormat("onnx", ".onnx", spoil))


def test_logits_that_are_not_finite_are_a_verdict(tmp_path: Path, crops_folder: Path) -> None:
    right = opened(build_tiny(tmp_path / "tiny.onnx"))

    class NotFinite(Fake):
        def __call__(self, tensor: np.ndarray) -> np.ndarray:
            return right.backend(tensor) * np.float32(np.nan)

    wrong = ModelUnderTest("wrong", NotFinite(np.empty(0)), 0)
    with pytest.raises(VerificationError, match="wrong gives logits that are not finite"):
        compare(right, wrong, load(crops_folder))
