from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import STRIDE, Fake, build_tiny, crops, tiny_manifest

from crnn_edge import recognizer as recognizer_module
from crnn_edge import selftest
from crnn_edge.backends import MODELS, find_model, open_backend
from crnn_edge.charset import Charset
from crnn_edge.decoders import greedy
from crnn_edge.decoders.base import Hypothesis
from crnn_edge.decoders.ctc import forward_sum, log_softmax
from crnn_edge.decoders.spans import LEAD_STEPS
from crnn_edge.errors import CrnnError, DecodeError, ImageError, ModelFileError
from crnn_edge.recognizer import Recognizer


@pytest.mark.parametrize("fixture", ["tiny_model", "tiny_int8_model"])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_batch_equals_its_members(
    fixture: str, threads: int, request: pytest.FixtureRequest
) -> None:
    recognizer = Recognizer.load(request.getfixturevalue(fixture), threads=threads)
    images = crops()
    for alone, together in zip(map(recognizer, images), recognizer.batch(images), strict=True):
        assert alone == together
        assert alone.log_prob == pytest.approx(together.log_prob, abs=1e-4)


def test_large_batches_are_cut_and_keep_their_order(tiny_model: Path) -> None:
    recognizer = Recognizer.load(tiny_model, threads=1)
    images = [image for image in crops(10, seed=1) for _ in range(15)]
    texts = [reading.text for reading in recognizer.batch(images)]
    assert texts == [recognizer(image).text for image in images]
    assert len(set(texts)) > 5
    assert recognizer.batch([]) == []


def test_log_probs_are_probabilities_with_a_step_per_stride(tiny_model: Path) -> None:
    recognizer = Recognizer.load(tiny_model)
    images = crops()
    for image, rows in zip(images, recognizer.log_probs(images), strict=True):
        bucket = recognizer.manifest.preprocess.geometry(*image.shape[:2]).bucket
        assert rows.shape == (bucket // STRIDE, recognizer.manifest.charset.num_classes)
        np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("height", [16, 32, 80])
def test_spans_are_in_pixels_of_the_callers_image(height: int) -> None:
    width = 5 * height
    logits = np.full((1, 40, 11), -9.0, dtype=np.float32)
    logits[0, :, 0] = 9
    logits[0, 10:12, :2] = [[-9, 9]] * 2
    logits[0, 39, :3] = [-9, -9, 9]
    first, last = Recognizer(Fake(logits))(np.zeros((height, width), np.uint8)).characters
    # 160 tensor columns show the whole image: a step is 4 of them.
    assert first.token == "a"
    between = 4 * (11 + LEAD_STEPS + 39.5) / 2  # no middle is beyond the last step's
    assert first.end == last.start == pytest.approx(width * between / 160)
    assert last.end == pytest.approx(width)


def test_spans_never_leave_the_image() -> None:
    logits = np.zeros((1, 20, 11), dtype=np.float32)
    logits[0, ::2, 1] = 9  # also in the padding
    image = np.zeros((32, 70), np.uint8)
    ends = [c.end for c in Recognizer(Fake(logits))(image).characters]
    assert ends == [*range(12, 70, 8), 70.0, 70.0]


def test_every_character_is_told_where_it_stands(tiny_model: Path) -> None:
    reading = Recognizer.load(tiny_model)(selftest.selftest_image())
    assert reading.text
    assert [c.token for c in reading.characters] == list(reading.text)
    assert all(0 <= c.start < c.end <= 222 for c in reading.characters if c.start < 222)


def test_a_decoder_may_be_passed_instead_of_named(tiny_model: Path) -> None:
    backend = open_backend(tiny_model)
    decoder = greedy.Decoder(backend.manifest.charset)
    image = selftest.selftest_image()
    assert Recognizer(backend, decoder)(image) == Recognizer(backend)(image)


def test_log_softmax_survives_any_size_of_logits() -> None:
    logits = np.array([[1e4, -1e4, 0], [1e-4, 0, 0], [-1e30, -1e30, -1e30]], np.float32)
    with np.errstate(over="raise", invalid="raise"):
        found = log_softmax(logits)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, atol=1e-6)
    assert found[0, 0] == 0


@pytest.mark.parametrize(
    "shape", [(1, 16, 12), (16, 11), (1, 16, 1, 11), (1, 0, 11), (1, 14, 11), (2, 16, 11)]
)
def test_logits_that_contradict_the_manifest_are_refused(shape: tuple[int, ...]) -> None:
    recognizer = Recognizer(Fake(np.zeros(shape, np.float32)))
    with pytest.raises(ModelFileError, match=r"'tiny' gave logits .* expected \(1, 16, 11\)"):
        recognizer(np.zeros((32, 32), np.uint8))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_refused(value: float) -> None:
    logits = np.zeros((1, 16, 11), np.float32)
    logits[0, 3, 4] = value
    with np.errstate(invalid="ignore"), pytest.raises(DecodeError, match="is damaged"):
        Recognizer(Fake(logits))(np.zeros((32, 32), np.uint8))


def test_a_bad_image_in_a_batch_is_told_by_number(tiny_model: Path) -> None:
    recognizer = Recognizer.load(tiny_model)
    with pytest.raises(ImageError, match="image 1 of 2: expected a uint8 image, got float64"):
        recognizer.batch([np.zeros((9, 9), np.uint8), np.zeros((9, 9))])
    with pytest.raises(ImageError, match="expected an image as an unmasked NumPy array, got str"):
        recognizer("word.png")


@pytest.mark.parametrize("shape", [(32, 64), (32, 64, 1), (32, 64, 3), (32, 64, 4)])
def test_a_single_image_is_no_batch(tiny_model: Path, shape: tuple[int, ...]) -> None:
    recognizer = Recognizer.load(tiny_model, threads=1)
    for read in (recognizer.batch, recognizer.log_probs):
        with pytest.raises(ImageError, match=r"a list of images, got one image of shape \(32, 64"):
            read(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(2, 32, 64), (2, 32, 64, 3), (0, 32, 64)])
def test_a_stack_of_images_is_a_batch(tiny_model: Path, shape: tuple[int, ...]) -> None:
    recognizer = Recognizer.load(tiny_model, threads=1)
    stack = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert recognizer.batch(stack) == [recognizer(image) for image in stack]


def test_without_a_path_the_default_model_is_read(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recognizer_module.DEFAULT_MODEL.parts[-3:] == ("crnn_edge", "models", "crnn-lite.onnx")
    monkeypatch.setattr(recognizer_module, "DEFAULT_MODEL", tiny_model)
    assert Recognizer.load().manifest.name == "tiny"
    monkeypatch.setattr(recognizer_module, "DEFAULT_MODEL", tiny_model.with_name("none.onnx"))
    with pytest.raises(CrnnError, match=r"none.onnx: there is no such file .*export.onnx"):
        Recognizer.load()


def test_models_that_come_along_have_names(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Recognizer.load("crnn-medium", threads=1).manifest.name == "crnn-medium"
    assert find_model("crnn-medium") == MODELS / "crnn-medium.onnx"
    with pytest.raises(CrnnError, match=r"crnn-huge .*bundled model: crnn, crnn-lite, crnn-m"):
        Recognizer.load("crnn-huge")
    # Nothing but a name is one, and no name is too long to be told that it is none.
    for other in (tiny_model.with_suffix(""), Path("../models/crnn-lite"), Path("x" * 5000)):
        assert find_model(other) == other
    # What is there under that name comes first.
    monkeypatch.chdir(tmp_path)
    Path("crnn-medium").write_bytes(tiny_model.read_bytes())
    assert find_model("crnn-medium") == Path("crnn-medium")
    assert Recognizer.load("crnn-medium", backend="onnx").manifest.name == "tiny"


def test_selftest_agrees_with_itself_and_finds_another_network(
    tiny_model: Path, tmp_path: Path
) -> None:
    backend = open_backend(tiny_model)
    result = selftest.run_selftest(backend)
    assert result.ok
    assert result.num_checked > 5
    assert len(result.expected) == 40
    shifted = tuple(k if k < 0 else (k + 1) % 11 for k in result.expected)
    other = build_tiny(tmp_path / "other.onnx", tiny_manifest(selftest=shifted))
    result = selftest.run_selftest(open_backend(other))
    assert not result.ok
    assert len(result.differences) == result.num_checked
    assert (
        f"{result.num_checked} of {result.num_checked} checked time steps differ"
        in result.describe(Charset(tuple("abcdefghij")))
    )


def test_selftest_notices_another_number_of_steps(tiny_model: Path, tmp_path: Path) -> None:
    pinned = open_backend(tiny_model).manifest.selftest
    other = build_tiny(tmp_path / "other.onnx", tiny_manifest(selftest=pinned[:-1]))
    result = selftest.run_selftest(open_backend(other))
    assert not result.ok
    assert "expected 39 time steps, got 40" in result.describe(Charset(tuple("abcdefghij")))


def test_selftest_pins_no_step_that_is_close() -> None:
    logits = np.zeros((1, 3, 11), np.float32)
    logits[0, :, 2] = [0.5, 1.5, 0]
    logits[0, 2, 0] = 7
    assert selftest.selftest_classes(Fake(logits)) == (-1, 2, 0)


def test_a_file_without_selftest_cannot_be_checked() -> None:
    with pytest.raises(ModelFileError, match="has no self-test"):
        selftest.run_selftest(Fake(np.zeros((1, 40, 11), np.float32)))


def test_the_selftest_picture_never_changes() -> None:
    image = selftest.selftest_image()
    assert (image.shape, image.dtype) == ((47, 222, 3), np.uint8)
    assert int(image.astype(np.int64).sum()) == 5600475


def test_log_probabilities_do_not_depend_on_the_company_in_a_batch() -> None:
    rng = np.random.default_rng(0)
    logits = (rng.standard_normal((6, 20, 96)) * [[[s]] for s in (1, 3, 9, 20, 50, 90)]).astype(
        "f4"
    )
    together = log_softmax(logits)
    for alone, row in zip(logits, together, strict=True):
        np.testing.assert_array_equal(log_softmax(alone[None])[0], row)


def test_a_decoder_that_masks_is_given_log_probs_and_tells_their_probability() -> None:
    class Masked(greedy.Decoder):
        """Reads no `c`."""

        def __call__(self, log_probs: np.ndarray, lengths: object = None) -> list[list[Hypothesis]]:
            given.append(log_probs)
            log_probs = log_probs.copy()
            log_probs[..., 3] = -np.inf
            return super().__call__(log_probs)

    given: list[np.ndarray] = []
    logits = np.random.default_rng(0).normal(0, 4, (1, 16, 11)).astype(np.float32)
    backend = Fake(logits)
    reading = Recognizer(backend, Masked(backend.manifest.charset))(np.zeros((32, 64), np.uint8))
    np.testing.assert_array_equal(given[0], log_softmax(logits))
    assert "c" not in reading.text
    classes = backend.manifest.charset.encode(reading.text)
    assert reading.log_prob == pytest.approx(forward_sum(log_softmax(logits), [classes])[0])


def test_a_path_is_no_backend(tiny_model: Path) -> None:
    for path in (tiny_model, str(tiny_model)):
        with pytest.raises(TypeError, match=r"use Recognizer\.load\(path\)"):
            Recognizer(path)  # type: ignore[arg-type]
