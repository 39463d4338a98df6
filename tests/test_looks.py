"""What is read again: lines that run up or down, and readings that are unsure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny import STRIDE, Fake, crops, tiny_manifest

from crnn_edge.decoders import beam, greedy
from crnn_edge.decoders.base import Hypothesis
from crnn_edge.errors import DecodeError, UnknownNameError
from crnn_edge.manifest import DecoderChoice, TtaSettings
from crnn_edge.recognizer import Recognizer
from crnn_edge.tta import VIEWS
from crnn_edge.view import IDENTITY, Look


class Upright:
    """A backend that reads `ab` in one picture alone, and is sure of nothing in any other."""

    def __init__(self, picture: np.ndarray, look: Look = IDENTITY, **fields: object) -> None:
        self.manifest = tiny_manifest(**fields)
        self.expected = self.manifest.preprocess(picture, look)
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


@pytest.mark.parametrize("turned", [0, 90, 270])
def test_a_tall_picture_is_read_whichever_way_it_runs(turned: int) -> None:
    tall = crops(1, seed=3)[0][:20].repeat(2, axis=0)[:, :20]
    tall = np.concatenate([tall, tall[::-1], tall])  # 120 high, 20 wide
    backend = Upright(np.rot90(tall, turned // 90))
    reading = Recognizer(backend)(tall)
    assert (reading.text, reading.turned) == ("ab", turned)
    assert reading.to_dict()["turned"] == turned
    assert backend.calls == (3 if turned else 1)  # none is needed after a sure reading
    end = reading.characters[-1].end
    length = 120 if turned else 20  # pixels along the line
    assert end == pytest.approx(min(length, 6 * STRIDE * length / (192 if turned else 64)))
    others = crops(3)
    together = Recognizer(backend).batch([others[0], tall, others[1]])
    assert together[1] == reading
    assert together[1].turned == turned
    assert [together[0].turned, together[2].turned] == [0, 0]


def test_a_line_is_read_as_it_stands_alone() -> None:
    wide = np.zeros((20, 29), np.uint8)
    backend = Upright(np.rot90(wide, 1))
    assert Recognizer(backend)(wide).turned == 0
    assert backend.calls == 1
    # Turned, it would be a longer line than the model takes.
    endless = np.zeros((2100, 8), np.uint8)
    assert Recognizer(Upright(endless))(endless).turned == 0


@pytest.mark.parametrize("height", [59, 60])
def test_one_and_a_half_times_as_high_as_wide_is_tall(height: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (height, 40), dtype=np.uint8)
    turned = 90 if height == 60 else 0
    assert Recognizer(Upright(np.rot90(picture)))(picture).turned == turned
    assert Recognizer(Upright(np.rot90(picture))).batch([picture])[0].turned == turned


@pytest.mark.parametrize(
    ("upright", "across", "text"),
    [(0.91, 0.99, "a"), (0.89, 0.99, "b"), (0.89, 0.88, "a"), (0.6, 0.7, "b")],
)
def test_only_a_tall_picture_that_is_surely_read_as_it_stands_is_not_turned(
    upright: float, across: float, text: str
) -> None:
    tall = np.zeros((120, 20), np.uint8)  # 64 columns of a tensor, and 192 when turned

    class Graded(Fake):
        """Reads `a` as it stands, `b` when turned, with probabilities that are given."""

        def __call__(self, tensor: np.ndarray) -> np.ndarray:
            widths.append(tensor.shape[-1])
            token, p = (1, upright) if tensor.shape[-1] == 64 else (2, across)
            probs = np.full((1, tensor.shape[-1] // STRIDE, 11), 1e-12, np.float32)
            probs[:, :, 0] = 1
            probs[0, 3, [0, token]] = 1 - p, p
            return np.log(probs)

    widths: list[int] = []
    reading = Recognizer(Graded(np.empty(0)))(tall)
    assert (reading.text, reading.turned) == (text, 90 * (text == "b"))
    assert reading.confidence == pytest.approx(upright if text == "a" else across, abs=1e-4)
    assert widths == ([64] if upright > 0.9 else [64, 192, 192])


@pytest.mark.parametrize(("word", "turned"), [(0.3, 90), (0.2, 0)])
def test_a_word_is_not_outweighed_by_a_letter_because_it_has_more_of_them(
    word: float, turned: int
) -> None:
    # With four tokens more, 0.4 is worth -0.18 for `a`, 0.3 is -0.17 for `bcb`, and 0.2 is -0.23.
    tall = np.zeros((120, 20), np.uint8)  # 64 columns of a tensor, and 192 when turned

    class Letter(Fake):
        """Reads `a` as the picture stands, `bcb` when it is turned."""

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
    assert (reading.text, reading.turned) == (("bcb", 90) if turned else ("a", 0))


@pytest.mark.parametrize(
    ("look", "looks"), [(IDENTITY, 1), *zip(VIEWS, (2, 3, 4, 5), strict=True), (Look(2), 5)]
)
def test_an_unsure_reading_gets_more_looks(look: Look, looks: int) -> None:
    image, other = crops(2, seed=5)
    backend = Upright(image, look)
    reading = Recognizer(backend, tta_threshold=0.7)(image)
    assert backend.calls == looks
    assert (reading.text == "ab") == (look.stretch != 2)
    if look.stretch != 2:
        # The network saw b in the sixth of its steps: stretched, a step is less of the picture,
        # and along a slope, where the whole is resized to more rows, too.
        height, width = image.shape[:2]
        rows = backend.manifest.preprocess.rows(height, width, look)
        step_px = STRIDE * height / rows / look.stretch
        assert reading.characters[1].start == pytest.approx(5 * step_px)
        assert reading.characters[1].end == pytest.approx(6 * step_px)
    assert Recognizer(backend, tta_threshold=0.7).batch([other, image])[1] == reading


@pytest.mark.parametrize(
    ("probability", "tta_threshold", "looks"),
    [(0.75, 0.7, 1), (0.65, 0.7, 3), (0.25, 0.7, 3), (0.15, 0.7, 5), (0.15, 0.1, 1)],
)
def test_only_what_is_lost_is_read_along_slopes(
    probability: float, tta_threshold: float, looks: int
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
    looked = [IDENTITY, *VIEWS][:looks]
    preprocess = tiny_manifest().preprocess
    assert widths == [preprocess.bucket(*image.shape[:2], look) for look in looked]


def test_a_turned_picture_is_looked_at_again_as_it_was_turned() -> None:
    line = crops(1, seed=6)[0][:, :40].repeat(2, axis=1)
    tall = np.rot90(line, 3)
    sure, half_sure = Upright(line, Look(1.4)), Upright(line)

    def network(tensor: np.ndarray) -> np.ndarray:
        return np.maximum(sure(tensor), half_sure(tensor) * 0.3)

    recognizer = Recognizer(sure, tta_threshold=0.7)
    recognizer.backend = network
    found = recognizer(tall)
    assert (found.text, found.turned) == ("ab", 90)
    assert found.characters[1].start == pytest.approx(5 * STRIDE * line.shape[0] / 32 / 1.4)
    assert recognizer.batch([tall])[0] == found
    assert Recognizer(sure)(tall).text != "ab"


def test_a_turned_line_is_not_made_longer_than_the_model_takes() -> None:
    line = np.random.default_rng(0).integers(0, 256, (32, 2000), dtype=np.uint8)
    upright = Upright(line)
    recognizer = Recognizer(upright, tta_threshold=0.7)
    recognizer.backend = lambda tensor: upright(tensor) * 0.3  # not sure enough
    reading = recognizer(np.rot90(line, 3))
    assert (reading.text, reading.turned) == ("ab", 90)
    # As it stands, turned twice, and narrower; wider, it would be 2,800, along a slope 5,000.
    assert upright.calls == 4


def test_a_reading_as_it_must_be_outweighs_a_surer_one_that_is_not() -> None:
    image = crops(1, seed=5)[0]
    backend = Upright(image, Look(0.75))  # sure of `ab` at the second look, of nothing at the first

    class Told(greedy.Decoder):
        """Says that `c`, which is read at first, is what it must be."""

        def __call__(self, log_probs: np.ndarray, lengths: object = None) -> list[list[Hypothesis]]:
            c = tuple(self.charset.encode("c"))
            return [
                [replace(best, matches_constraint=best.classes == c)]
                for (best,) in super().__call__(log_probs)
            ]

    recognizer = Recognizer(backend, Told(backend.manifest.charset), tta_threshold=0.7)
    assert (recognizer(image).text, recognizer(image).matches_constraint) == ("c", True)
    # And if none is, a sure one is no reason to stop looking.
    sure = Upright(image)
    found = Recognizer(sure, Told(sure.manifest.charset), tta_threshold=0.7)(image)
    assert (found.text, found.matches_constraint) == ("c", True)


def test_a_word_that_need_not_be_read_outweighs_nothing() -> None:
    image = crops(1, seed=5)[0]
    words = ["jihg"]
    backend = Upright(image)
    sure = Recognizer(backend, "lexicon", tta_threshold=0.7, words=words, lexicon_prior=0.9)(image)
    assert (sure.text, sure.matches_constraint, backend.calls) == ("ab", False, 1)
    backend = Upright(image)
    strict = Recognizer(backend, "lexicon", tta_threshold=0.7, words=words)(image)
    assert (strict.text, strict.matches_constraint, backend.calls) == ("jihg", True, 1 + len(VIEWS))


def test_a_line_that_would_leave_the_picture_is_not_looked_for() -> None:
    wide = np.random.default_rng(0).integers(0, 256, (32, 161), dtype=np.uint8)
    for image, looks in ((wide, 3), (wide[:, :160], 5)):
        backend = Upright(crops(1)[0])
        Recognizer(backend, tta_threshold=0.7)(image)
        assert backend.calls == looks


def test_what_a_language_model_said_of_a_reading_counts_among_looks() -> None:
    image = crops(1, seed=5)[0]
    backend = Upright(image, Look(0.75))  # sure of `ab` at the second look, of nothing at the first

    class Told(greedy.Decoder):
        """Holds `ab`, read at the second look, for all but impossible."""

        def __call__(self, log_probs: np.ndarray, lengths: object = None) -> list[list[Hypothesis]]:
            ab = tuple(self.charset.encode("ab"))
            return [
                [replace(best, lm_score=-1000.0 * (best.classes == ab))]
                for (best,) in super().__call__(log_probs)
            ]

    reading = Recognizer(backend, Told(backend.manifest.charset), tta_threshold=0.7)(image)
    assert (reading.text, reading.lm_score) == ("c", 0)
    assert backend.calls == 1 + len(VIEWS)


def test_the_model_file_recommends_a_decoder_and_the_caller_has_the_last_word() -> None:
    backend = Upright(crops(1, seed=5)[0], decoder=DecoderChoice("beam"))
    assert isinstance(Recognizer(backend).decoder, beam.Decoder)
    assert Recognizer(backend, beam_size=3).decoder.beam_size == 3
    assert isinstance(Recognizer(backend, "greedy").decoder, greedy.Decoder)
    unknown = Upright(crops(1, seed=5)[0], decoder=DecoderChoice("nothing"))
    with pytest.raises(UnknownNameError, match="no decoder 'nothing'"):
        Recognizer(unknown)


def test_second_looks_are_had_where_the_model_file_or_the_caller_wants_them() -> None:
    image = crops(1, seed=5)[0]
    backend = Upright(image, Look(0.75))
    assert Recognizer(backend)(image).text != "ab"
    assert backend.calls == 1
    recommended = Upright(image, Look(0.75), tta=TtaSettings(0.6))
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
def test_a_look_again_that_is_no_probability_is_refused(value: object) -> None:
    with pytest.raises(DecodeError, match="tta_threshold must be a probability from 0 to 1, got"):
        Recognizer(Fake(np.zeros((1, 9, 11), np.float32)), tta_threshold=value)
