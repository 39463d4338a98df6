"""Rendered words: repeatable, legible, spelt in the charset, and written whole or not at all."""

from __future__ import annotations

import pickle
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from crnn_edge.charset import Charset
from crnn_edge.errors import CharsetError, CrnnError
from crnn_edge.labels import LabelledFolder
from model.data.augment.corruptions import Augment, _grain
from model.data.fonts import Face, find_faces
from model.data.render.styles.scene import Style
from model.data.synth import Synth, main
from model.data.text.text_source import MAX_LENGTH, TextSource, read_words

WORDS = ("street", "Café", "naïve", "Exit", "o'clock", "parking", "Theatre")


@pytest.fixture(scope="module")
def faces() -> list[Face]:
    return find_faces()


@pytest.fixture(scope="module")
def synth(faces: list[Face]) -> Synth:
    return Synth(faces, TextSource(WORDS, Charset.ascii()), seed=5)


def ink(image: np.ndarray) -> float:
    """How far light and dark of a picture lie apart, in gray levels."""
    low, high = np.percentile(image, [2, 98])
    return float(high - low)


def test_a_seed_and_an_index_give_one_picture(faces: list[Face], synth: Synth) -> None:
    again = Synth(faces, TextSource(WORDS, Charset.ascii()), seed=5)
    for index in (7, 3, 1_000_003, 3):  # whatever was drawn before
        image, text = synth[index]
        other, label = again[index]
        assert text == label
        np.testing.assert_array_equal(image, other)


def test_seeds_and_indices_differ(faces: list[Face], synth: Synth) -> None:
    other = Synth(faces, TextSource(WORDS, Charset.ascii()), seed=6)
    pictures = {s[i][0].tobytes() for s in (synth, other) for i in range(30)}
    assert len(pictures) == 60


def test_another_process_renders_the_same(synth: Synth) -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        image, text = pool.submit(synth.__getitem__, 11).result()
    np.testing.assert_array_equal(image, synth[11][0])
    assert text == synth[11][1]


def test_a_source_survives_pickling(synth: Synth) -> None:
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(synth))[2][0], synth[2][0])


def test_pictures_are_gray_bytes_of_sane_size(synth: Synth) -> None:
    for index in range(300):
        image, text = synth[index]
        assert image.dtype == np.uint8
        assert image.ndim == 2
        assert 8 <= image.shape[0] <= 300
        assert 4 <= image.shape[1] <= 2000
        assert image.size <= 75_000  # 48,000, and what turning adds
        assert 1 <= len(text) <= MAX_LENGTH


def test_text_stands_out_from_its_ground(synth: Synth) -> None:
    contrasts = np.array([ink(synth[index][0]) for index in range(300)])
    assert np.median(contrasts) > 60
    assert np.quantile(contrasts, 0.02) > 10


@pytest.mark.parametrize("text", ["W", ".", "Illegible", "A B", "-----", "x" * MAX_LENGTH])
def test_a_picture_shows_its_own_text(faces: list[Face], text: str) -> None:
    """Two renderings with one source of chance differ by the text alone."""
    face = next(face for face in faces if face.spell(text + "O") == text + "O")
    first = Style().draw(text, np.random.default_rng(1), [face])
    second = Style().draw("O", np.random.default_rng(1), [face])
    assert ink(first) > 25
    assert first.shape != second.shape or (first != second).any()


def test_longer_texts_are_wider(faces: list[Face]) -> None:
    def width(text: str) -> float:
        pictures = [
            Style().draw(text, np.random.default_rng(seed), faces[:1]) for seed in range(20)
        ]
        return float(np.median([p.shape[1] / p.shape[0] for p in pictures]))

    assert width("nnn") < width("nnnnnn") < width("n" * 12)


@pytest.mark.parametrize("tokens", ["0123456789", "abcdefghij", "ABC-123", "aäößé €"])
def test_labels_are_spelt_in_the_charset(faces: list[Face], tokens: str) -> None:
    charset = Charset(tuple(tokens))
    source = TextSource(WORDS, charset)
    rng = np.random.default_rng(0)
    texts = [source.sample(rng) for _ in range(300)]
    assert all(text in charset and text == text.strip() and text for text in texts)
    synth = Synth(find_faces(characters=tokens), source, seed=1)
    assert all(synth[index][1] in charset for index in range(30))


def test_every_printable_character_is_written_often() -> None:
    source, rng = TextSource(WORDS, Charset.ascii()), np.random.default_rng(0)
    counts = Counter("".join(source.sample(rng) for _ in range(20_000)))
    assert set(counts) == set(Charset.ascii().tokens)
    assert min(counts.values()) >= 30, counts.most_common()[-5:]


def test_about_four_in_ten_texts_are_words() -> None:
    source, rng = TextSource(WORDS, Charset.ascii()), np.random.default_rng(0)
    known = {word.lower() for word in WORDS}
    share = np.mean([source.sample(rng).lower() in known for _ in range(4000)])
    assert 0.33 < share < 0.48


@pytest.mark.parametrize("change", [str.upper, str.lower, str.title])
def test_words_come_in_the_cases_of_signs_however_they_are_listed(change) -> None:
    words = [change(word) for word in ("sparrow", "heron", "kestrel", "plover")]
    source, rng = TextSource(words, Charset.ascii()), np.random.default_rng(5)
    texts = [text for text in (source.sample(rng) for _ in range(6000)) if len(text) > 2]
    single = [text for text in texts if text.isalpha() and text.lower() in map(str.lower, words)]
    shares = [sum(map(form, single)) / len(single) for form in (str.isupper, str.istitle)]
    assert shares == pytest.approx([0.44, 0.27], abs=0.06)
    several = [text for text in texts if text.replace(" ", "").isalpha() and " " in text]
    # A list that has names in their capitals keeps them in a row of words.
    forms = [str.isupper, str.istitle, *([] if change is str.title else [str.islower])]
    assert min(sum(map(form, several)) / len(several) for form in forms) > 0.12


def test_texts_come_without_a_dictionary() -> None:
    source, rng = TextSource([], Charset.ascii()), np.random.default_rng(0)
    texts = [source.sample(rng) for _ in range(200)]
    assert sum(text.isalpha() for text in texts) > 75
    assert len(set(texts)) > 150


def test_symbols_are_not_rendered() -> None:
    with pytest.raises(CharsetError, match="symbols"):
        TextSource(None, Charset(("clef-G2", "note-C4"), separator=" "))


def test_a_missing_or_empty_word_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(CrnnError, match=r"gone\.txt"):
        read_words(tmp_path / "gone.txt")
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(CrnnError, match=r"empty\.txt"):
        read_words(tmp_path / "empty.txt")


def test_a_word_list_with_a_byte_order_mark_loses_no_word(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("street\nCafé\n", encoding="utf-8-sig")
    assert read_words(tmp_path / "words.txt") == ["street", "Café"]


def test_what_is_no_text_is_no_word_list(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "words.jpg"), np.zeros((9, 9), np.uint8))
    with pytest.raises(CrnnError, match=r"words\.jpg is no UTF-8 text \(invalid start byte at"):
        read_words(tmp_path / "words.jpg")


@pytest.mark.parametrize("shape", [(32, 100), (32, 100, 3), (9, 5), (8, 4, 3), (64, 700)])
@pytest.mark.parametrize("strength", [0.4, 1.0, 2.0])
def test_augment_keeps_type_channels_and_about_the_size(
    shape: tuple[int, ...], strength: float
) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    before = image.copy()
    augment = Augment(strength)
    for seed in range(60):
        worse = augment(image, np.random.default_rng(seed))
        assert worse.dtype == np.uint8
        assert worse.shape[2:] == shape[2:]
        # A turn adds corners: in three standard deviations a quarter of a long word's height.
        assert shape[0] - 1 <= worse.shape[0] <= (1.1 + 3 * 0.27 * strength) * shape[0] + 4
        assert 0.7 * shape[1] - 2 <= worse.shape[1] <= 1.3 * shape[1] + 0.4 * shape[0] + 4
    np.testing.assert_array_equal(image, before)


def test_noise_is_as_strong_whichever_channel_has_the_contrast() -> None:
    image = np.full((32, 90, 3), 128, np.uint8)
    image[..., 1:] = np.random.default_rng(0).integers(0, 256, (32, 90, 1))
    turned = image[..., ::-1].copy()
    noise = [
        np.median(
            [_grain(picture, np.random.default_rng(k), 1.0)[..., flat].std() for k in range(40)]
        )
        for picture, flat in ((image, 0), (turned, 2))
    ]
    assert noise[0] == pytest.approx(noise[1], rel=0.5)


def test_augment_of_strength_0_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 90)).astype(np.uint8)
    np.testing.assert_array_equal(Augment(0)(image, np.random.default_rng(0)), image)


def test_augment_leaves_text_legible(faces: list[Face]) -> None:
    """Large clean letters still correlate with themselves after any degradation."""
    clean = np.full((40, 200), 220, np.uint8)
    cv2.putText(clean, "HOTEL", (12, 34), cv2.FONT_HERSHEY_DUPLEX, 1.5, 20, 3)
    for seed in range(200):
        worse = Augment(1.0)(clean, np.random.default_rng(seed))
        back = cv2.resize(worse, (200, 40))
        a, b = (cv2.GaussianBlur(x.astype(np.float32), (0, 0), 4) for x in (clean, back))
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) > 0.5, seed


def test_a_sheet_that_cannot_be_written_is_told_before_it_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Synth, "__getitem__", None)
    assert main(["--png", str(tmp_path / "x.jpg")]) == 1
    assert "expected the name of a .png file" in capsys.readouterr().err


def test_the_sheet_is_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--png", str(tmp_path / "sheet.png")]) == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert np.asarray(sheet).std() > 20
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_written_folder_holds_the_first_words(
    tmp_path: Path, faces: list[Face], workers: str
) -> None:
    (tmp_path / "words.txt").write_text("\n".join(WORDS), encoding="utf-8")
    out = tmp_path / "out"
    options = ["--words", str(tmp_path / "words.txt"), "--seed", "5", "--workers", workers]
    assert main(["--count", "60", "--out", str(out), *options]) == 0
    folder = LabelledFolder(out)
    synth = Synth(faces, TextSource(WORDS, Charset.ascii()), seed=5)
    assert list(folder.texts) == [synth[index][1] for index in range(60)]
    image, _ = folder[59]
    assert image.shape[:2] == synth[59][0].shape
    assert np.abs(image.astype(int) - synth[59][0]).mean() < 12
    assert {path.name for path in tmp_path.iterdir()} == {"out", "words.txt"}


def test_a_written_lmdb_has_the_keys_of_the_benchmarks(tmp_path: Path, faces: list[Face]) -> None:
    import lmdb

    (tmp_path / "words.txt").write_text("\n".join(WORDS), encoding="utf-8")
    options = ["--words", str(tmp_path / "words.txt"), "--seed", "5", "--workers", "1"]
    assert main(["--count", "7", "--out", str(tmp_path / "out"), "--lmdb", *options]) == 0
    synth = Synth(faces, TextSource(WORDS, Charset.ascii()), seed=5)
    with lmdb.open(str(tmp_path / "out"), readonly=True, lock=False) as env, env.begin() as txn:
        assert txn.get(b"num-samples") == b"7"
        assert txn.get(b"label-000000007").decode() == synth[6][1]
        picture = cv2.imdecode(np.frombuffer(txn.get(b"image-000000007"), np.uint8), 0)
        assert picture.shape == synth[6][0].shape


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    assert main(["--count", "1", "--out", str(tmp_path / "out"), "--workers", "1"]) == 1
    assert "there already" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--count", "5"],
        ["--png", "a.png", "--bench"],
        ["--png", "a.png", "--out", "b"],
        ["--bench", "--lmdb"],
        ["--bench", "--strength", "3"],
        ["--count", "0", "--out", "b"],
        ["--bench", "--characters", ""],
    ],
)
def test_contradicting_options_are_refused(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
