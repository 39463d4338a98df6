"""Test-time augmentation: vertical text, and texts that are uncertain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny import STRIDE, Fake, crops, tiny_manifest

from crnn_edge.decoders import beam, greedy
from crnn_edge.decoders.base import Hypothesis
from crnn_edge.decoders.spans import token_spans
from crnn_edge.errors import DecodeError, UnknownNameError
from crnn_edge.manifest import DecoderChoice, TtaSettings
from crnn_edge.preprocess import IDENTITY, View
from crnn_edge.recognizer import Recognizer
from crnn_edge.tta import VIEWS


class Upright:
    """A backend that reads `ab` in one picture alone, and is sure of nothing in any other."""

    def __init__(self, picture: np.ndarray, view: View = IDENTITY, **fields: object) -> None:
        self.manifest = tiny_manifest(**fields)
        self.expected = self.manifest.preprocess(
            picture, self.manifest.preprocess.geometry(*picture.shape[:2], view)
        )
        self.calls = 0

    def __call__(self, tensor: np.ndarray) -> np.ndarray:
        self.calls += 1
        steps = tensor.shape[-1] // STRIDE
        logits = np.zeros((len(tensor), steps, self.manifest.charset.num_classes), np.float32)
        for rows, image in zip(logits, tensor, strict=True):
            if image.shape == self.expected.shape and np.allclose(image, self.expected, atol=1e-4):
                rows[:, 0] = 20
                rows[[3, 5], :] = 0
                rows[3, 1] = rows[5, 2] = 20
            else:
                rows[1, 3] = 1
        return logits


@pytest.mark.parametrize("rotation", [0, 90, 270])
def test_vertical_text_is_read_in_both_directions(rotation: int) -> None:
    tall = crops(1, seed=3)[0][:20].repeat(2, axis=0)[:, :20]
    tall = np.concatenate([tall, tall[::-1], tall])  # 120 high, 20 wide
    backend = Upright(np.rot90(tall, rotation // 90))
    reading = Recognizer(backend)(tall)
    assert (reading.text, reading.rotation) == ("ab", rotation)
    assert reading.to_dict()["rotation"] == rotation
    assert backend.calls == (3 if rotation else 1)  # none is needed after a sure reading
    end = reading.characters[-1].end
    length = 120 if rotation else 20  # pixels along the line
    step_px = STRIDE * length / (192 if rotation else 64)
    expected = token_spans(reading.hypothesis.alignment, 2)[1][1] * step_px
    assert end == pytest.approx(min(length, expected))
    others = crops(3)
    together = Recognizer(backend).batch([others[0], tall, others[1]])
    assert together[1] == reading
    assert together[1].rotation == rotation
    assert [together[0].rotation, together[2].rotation] == [0, 0]


def test_a_wide_image_is_not_rotated() -> None:
    wide = np.zeros((20, 29), np.uint8)
    backend = Upright(np.rot90(wide, 1))
    assert Recognizer(backend)(wide).rotation == 0
    assert backend.calls == 1
    # Turned, it would be a longer line than the model takes.
    endless = np.zeros((2100, 8), np.uint8)
    assert Recognizer(Upright(endless))(endless).rotation == 0


@pytest.mark.parametrize("height", [59, 60])
def test_the_aspect_ratio_decides_whether_text_may_be_vertical(height: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (height, 40), dtype=np.uint8)
    rotation = 90 if height == 60 else 0
    assert Recognizer(Upright(np.rot90(picture)))(picture).rotation == rotation
    assert Recognizer(Upright(np.rot90(picture))).batch([picture])[0].rotation == rotation


@pytest.mark.parametrize(
    ("upright", "across", "text"),
    [(0.91, 0.99, "a"), (0.89, 0.99, "b"), (0.89, 0.88, "a"), (0.6, 0.7, "b")],
)
def test_a_vertical_image_that_is_read_with_certainty_is_not_rotated(
    upright: float, across: float, text: str
) -> None:
    tall = np.zeros((120, 20), np.uint8)  # 64 columns of a tensor, and 192 when rotation

    class Graded(Fake):
        """Reads `a` as it stands, `b` when rotation, with probabilities that are given."""

        def __call__(self, tensor: np.ndarray) -> np.ndarray:
            widths.append(tensor.shape[-1])
            token, p = (1, upright) if tensor.shape[-1] == 64 else (2, across)
            probs = np.full((1, tensor.shape[-1] // STRIDE, 11), 1e-12, np.float32)
            probs[:, :, 0] = 1
            probs[0, 3, [0, token]] = 1 - p, p
            return np.log(probs)

    widths: list[int] = []
    reading = Recognizer(Graded(np.empty(0)))(tall)
    assert (reading.text, reading.rotation) == (text, 90 * (text == "b"))
    assert reading.confidence == pytest.approx(upright if text == "a" else across, abs=1e-4)
    assert widths == ([64] if upright > 0.9 else [64, 192, 192])


@pytest.mark.parametrize(("word", "rotation"), [(0.3, 90), (0.2, 0)])
def test_a_word_is_not_outranked_by_a_single_letter(word: float, rotation: int) -> None:
    # With four tokens more, 0.4 is worth -0.18 for `a`, 0.3 is -0.17 for `bcb`, and 0.2 is -0.23.
    tall = np.zeros((120, 20), np.uint8)  # 64 columns of a tensor, and 192 when rotation

    class Letter(Fake):
        """Reads `a` as the picture stands, `bcb` when it is rotation."""

        def __call__(self, tensor: np.ndarray) -> np.ndarray:
            tokens, p = ([1], 0.4) if tensor.shape[-1] == 64 else ([2, 3, 2], word)
            probs = np.full((1, tensor.shape[-1] // STRIDE, 11), 1e-12, np.float32)
            probs[:, :, 0] = 1
            for step, token in enumerate(tokens):
                each = p ** (1 / len(tokens))
                probs[0, 2 * step + 1] = (1 - each) / 10
                probs[0, 2 * step + 1, token] = each
            return np.log(probs)

    reading = Recognizer(Letter(np.empty(0)))(tall)
    assert (reading.text, reading.rotation) == (("bcb", 90) if rotation else ("a", 0))


@pytest.mark.parametrize(
    ("view", "views"), [(IDENTITY, 1), *zip(VIEWS, (2, 3, 4, 5), strict=True), (View(2), 5)]
)
def test_an_uncertain_text_is_read_in_more_views(view: View, views: int) -> None:
    image, other = crops(2, seed=5)
    backend = Upright(image, view)
    reading = Recognizer(backend, tta_threshold=0.7)(image)
    assert backend.calls == views
    assert (reading.text == "ab") == (view.width_scale != 2)
    if view.width_scale != 2:
        # The network saw b in the sixth of its steps: stretched, a step is less of the picture,
        # and along a slope, where the whole is resized to more rows, too.
        height, width = image.shape[:2]
        rows = backend.manifest.preprocess.geometry(height, width, view).rows
        step_px = STRIDE * height / rows / view.width_scale
        start, end = token_spans(reading.hypothesis.alignment, 2)[1]
        assert reading.characters[1].start == pytest.approx(start * step_px)
        assert reading.characters[1].end == pytest.approx(min(end * step_px, width))
    assert Recognizer(backend, tta_threshold=0.7).batch([other, image])[1] == reading


@pytest.mark.parametrize(
    ("probability", "tta_threshold", "views"),
    [(0.75, 0.7, 1), (0.65, 0.7, 3), (0.25, 0.7, 3), (0.15, 0.7, 5), (0.15, 0.1, 1)],
)
def test_only_very_uncertain_text_is_deskewed(
    probability: float, tta_threshold: float, views: int
) -> None:
    widths = []

    class Unsure(Fake):
        """Reads `a`, each time with the same probability."""

        def __call__(self, tensor: np.ndarray) -> np.ndarray:
            widths.append(tensor.shape[-1])
            probs = np.full((1, tensor.shape[-1] // STRIDE, 11), 1e-12, np.float32)
            probs[:, :, 0] = 1
            probs[0, 3] = (1 - probability) / 10
            probs[0, 3, 1] = probability
            return np.log(probs)

    image = crops(1, seed=5)[0]
    reading = Recognizer(Unsure(np.empty(0)), tta_threshold=tta_threshold)(image)
    assert reading.confidence == pytest.approx(probability, abs=1e-4)
    read = [IDENTITY, *VIEWS][:views]
    preprocess = tiny_manifest().preprocess
    assert widths == [preprocess.geometry(*image.shape[:2], view).bucket for view in read]


def test_further_views_of_vertical_text_keep_its_rotation() -> None:
    line = crops(1, seed=6)[0][:, :40].repeat(2, axis=1)
    tall = np.rot90(line, 3)
    sure, half_sure = Upright(line, View(1.4)), Upright(line)

    def network(tensor: np.ndarray) -> np.ndarray:
        return np.maximum(sure(tensor), half_sure(tensor) * 0.3)

    recognizer = Recognizer(sure, tta_threshold=0.7)
    recognizer.backend = network
    found = recognizer(tall)
    assert (found.text, found.rotation) == ("ab", 90)
    start = token_spans(found.hypothesis.alignment, 2)[1][0]
    assert found.characters[1].start == pytest.approx(start * STRIDE * line.shape[0] / 32 / 1.4)
    assert recognizer.batch([tall])[0] == found
    assert Recognizer(sure)(tall).text != "ab"


def test_a_rotated_line_is_not_made_longer_than_the_model_takes() -> None:
    line = np.random.default_rng(0).integers(0, 256, (32, 2000), dtype=np.uint8)
    upright = Upright(line)
    recognizer = Recognizer(upright, tta_threshold=0.7)
    recognizer.backend = lambda tensor: upright(tensor) * 0.3  # not sure enough
    reading = recognizer(np.rot90(line, 3))
    assert (reading.text, reading.rotation) == ("ab", 90)
    # As it stands, rotation twice, and narrower; wider, it would be 2,800, along a slope 5,000.
    assert upright.calls == 4


def test_a_match_outranks_a_more_probable_text_that_does_not_match() -> None:
    image = crops(1, seed=5)[0]
    backend = Upright(image, View(0.75))  # sure of `ab` at the second look, of nothing at the first

    class Constrained(greedy.Decoder):
        """Says that `c`, which is read at first, is what it must be."""

        def __call__(self, log_probs: np.ndarray, lengths: object = None) -> list[list[Hypothesis]]:
            c = tuple(self.charset.encode("c"))
            return [
                [replace(best, matches_constraint=best.classes == c)]
                for (best,) in super().__call__(log_probs)
            ]

    recognizer = Recognizer(backend, Constrained(backend.manifest.charset), tta_threshold=0.7)
    assert (recognizer(image).text, recognizer(image).matches_constraint) == ("c", True)
    # And if none is, a sure one is no reason to stop looking.
    sure = Upright(image)
    found = Recognizer(sure, Constrained(sure.manifest.charset), tta_threshold=0.7)(image)
    assert (found.text, found.matches_constraint) == ("c", True)


def test_a_word_of_an_optional_lexicon_does_not_outrank_other_texts() -> None:
    image = crops(1, seed=5)[0]
    words = {"words": ["jihg"]}
    may_leave = words | {"lexicon_prior": 0.9}
    backend = Upright(image)
    sure = Recognizer(backend, "lexicon", decoder_settings=may_leave, tta_threshold=0.7)(image)
    assert (sure.text, sure.matches_constraint, backend.calls) == ("ab", False, 1)
    backend = Upright(image)
    strict = Recognizer(backend, "lexicon", decoder_settings=words, tta_threshold=0.7)(image)
    assert (strict.text, strict.matches_constraint, backend.calls) == ("jihg", True, 1 + len(VIEWS))


def test_a_skewed_line_that_would_leave_the_image_is_not_tried() -> None:
    wide = np.random.default_rng(0).integers(0, 256, (32, 161), dtype=np.uint8)
    for image, views in ((wide, 3), (wide[:, :160], 5)):
        backend = Upright(crops(1)[0])
        Recognizer(backend, tta_threshold=0.7)(image)
        assert backend.calls == views


def test_the_lm_score_counts_when_views_are_ranked() -> None:
    image = crops(1, seed=5)[0]
    backend = Upright(image, View(0.75))  # sure of `ab` at the second look, of nothing at the first

    class Constrained(greedy.Decoder):
        """Holds `ab`, read at the second look, for all but impossible."""

        def __call__(self, log_probs: np.ndarray, lengths: object = None) -> list[list[Hypothesis]]:
            ab = tuple(self.charset.encode("ab"))
            return [
                [replace(best, lm_score=-1000.0 * (best.classes == ab))]
                for (best,) in super().__call__(log_probs)
            ]

    reading = Recognizer(backend, Constrained(backend.manifest.charset), tta_threshold=0.7)(image)
    assert (reading.text, reading.lm_score) == ("c", 0)
    assert backend.calls == 1 + len(VIEWS)


def test_the_model_file_recommends_a_decoder_and_the_caller_has_the_last_word() -> None:
    backend = Upright(crops(1, seed=5)[0], decoder=DecoderChoice("beam"))
    assert isinstance(Recognizer(backend).decoder, beam.Decoder)
    assert Recognizer(backend, decoder_settings={"beam_size": 3}).decoder.beam_size == 3
    assert isinstance(Recognizer(backend, "greedy").decoder, greedy.Decoder)
    unknown = Upright(crops(1, seed=5)[0], decoder=DecoderChoice("nothing"))
    with pytest.raises(UnknownNameError, match="no decoder 'nothing'"):
        Recognizer(unknown)


def test_the_model_file_or_the_caller_chooses_the_threshold() -> None:
    image = crops(1, seed=5)[0]
    backend = Upright(image, View(0.75))
    assert Recognizer(backend)(image).text != "ab"
    assert backend.calls == 1
    recommended = Upright(image, View(0.75), tta=TtaSettings(0.6))
    assert Recognizer(recommended)(image).text == "ab"
    assert Recognizer(recommended, tta_threshold=0)(image).text != "ab"
    # Made wider, this would be a longer line than the model takes; made narrower, not.
    endless = np.zeros((32, recommended.manifest.preprocess.max_width), np.uint8)
    recommended.calls = 0
    Recognizer(recommended)(endless)
    assert recommended.calls == 2
    assert Recognizer(backend, tta_threshold=np.float32(0.5)).tta_threshold == 0.5
    assert Recognizer(backend, tta_threshold=np.int64(1)).tta_threshold == 1.0


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "0.5"])
def test_a_threshold_that_is_not_a_probability_is_refused(value: object) -> None:
    with pytest.raises(DecodeError, match="tta_threshold must be a probability from 0 to 1, got"):
        Recognizer(Fake(np.zeros((1, 9, 11), np.float32)), tta_threshold=value)
