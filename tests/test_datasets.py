from __future__ import annotations

import re
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from crnn_edge.charset import Charset
from crnn_edge.errors import CharsetError, CrnnError, ImageError
from crnn_edge.labels import LabelledFolder
from crnn_edge.preprocess import Preprocess
from model.data.batching import BucketedBatches
from model.data.datasets import (
    DatasetError,
    EncodableSubset,
    Lmdb,
    Mixture,
    Sample,
    WeightedSource,
    open_dataset,
)
from model.data.loading import load_batches
from model.data.text.text_source import TextSource
from model.training.charset import parse_charset

DIGITS = Charset(tuple("0123456789"))


def make_batches(numbers: Path, **settings) -> BucketedBatches:
    mixture = Mixture([WeightedSource(LabelledFolder(numbers))], seed=3)
    return BucketedBatches(mixture, Preprocess(), DIGITS, batch_size=4, batches=4, **settings)


def test_chunks_are_the_same_whoever_makes_them(numbers) -> None:
    first, again = make_batches(numbers)[5], make_batches(numbers)[5]
    assert len(first) == 4
    for one, two in zip(first, again, strict=True):
        torch.testing.assert_close(one.tensor, two.tensor, rtol=0, atol=0)
        assert one.targets.tolist() == two.targets.tolist()
    other = make_batches(numbers)[6]
    assert any(a.targets.tolist() != b.targets.tolist() for a, b in zip(first, other, strict=True))


def test_batches_hold_what_the_device_would_see(numbers) -> None:
    dataset = LabelledFolder(numbers)
    seen = {dataset[i][1]: Preprocess()(dataset[i][0]) for i in range(len(dataset))}
    for batch in make_batches(numbers)[0]:
        texts = batch.targets.split(batch.lengths.tolist())
        assert len(texts) == len(batch.tensor) == 4
        for tensor, classes in zip(batch.tensor.numpy(), texts, strict=True):
            expected = seen[DIGITS.decode(classes.tolist())]
            width = expected.shape[-1]
            np.testing.assert_array_equal(tensor[..., :width], expected)
            assert not tensor[..., width:].any()


def test_chunks_give_up_when_nothing_fits(numbers) -> None:
    with pytest.raises(ImageError, match="100 samples"):
        make_batches(numbers, max_width=32)[0]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_is_told_alike_by_worker_processes(numbers, workers: int) -> None:
    batches = load_batches(make_batches(numbers, max_width=32), 0, 4, workers=workers)
    with pytest.raises(ImageError, match=r"^100 samples in a row are unusable: wider"):
        next(batches)


def test_mixture_draws_by_weight() -> None:
    one, two = (
        WeightedSource([(np.zeros((1, 1), np.uint8), t)], w) for t, w in (("a", 3.0), ("b", 1.0))
    )
    mixture = Mixture([one, two], seed=0)
    share = np.mean([mixture[i][1] == "a" for i in range(2000)])
    assert 0.72 < share < 0.78
    assert [mixture[i][1] for i in range(50)] == [mixture[i][1] for i in range(50)]


class Numbers:
    """A source whose texts tell its own generator's first number."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __getitem__(self, index: int) -> Sample:
        number = np.random.default_rng((self.seed, index)).random()
        return np.zeros((1, 1), np.uint8), str(number)


@pytest.mark.parametrize("weight", [0.15, 0.65])
@pytest.mark.parametrize("first", [True, False])
def test_what_chooses_a_part_is_none_of_its_chances(weight: float, first: bool) -> None:
    blank = WeightedSource([(np.zeros((1, 1), np.uint8), "")], 1 - weight)
    numbers = WeightedSource(Numbers(7), weight)
    mixture = Mixture([numbers, blank] if first else [blank, numbers], seed=7)
    drawn = [float(text) for text in (mixture[i][1] for i in range(4000)) if text]
    assert np.histogram(drawn, 10, (0, 1))[0] == pytest.approx(len(drawn) / 10, rel=0.35)


def test_in_a_mixture_as_many_kinds_of_text_are_rendered_as_without() -> None:
    class Texts(Numbers):
        source = TextSource(["word"], Charset.ascii())

        def __getitem__(self, index: int) -> Sample:
            rng = np.random.default_rng((self.seed, index))
            return np.zeros((1, 1), np.uint8), self.source.sample(rng)

    alone = Texts(7)
    mixture = Mixture(
        [WeightedSource(alone, 0.3), WeightedSource([(np.zeros((1, 1), np.uint8), "")], 0.7)],
        seed=7,
    )
    mixed = [text for text in (mixture[i][1] for i in range(6000)) if text]
    for pattern in (r"\d", r"[^\w\s]", r"^(?=.*\d)(?=.*[A-Z])[A-Z\d]+$"):
        share = np.mean([bool(re.search(pattern, alone[i][1])) for i in range(6000)])
        assert np.mean([bool(re.search(pattern, text)) for text in mixed]) == pytest.approx(
            share, rel=0.35
        )
        assert share > 0.02


@pytest.mark.parametrize("weights", [[np.nan, 1.0], [np.inf, 1.0], [-1.0, 2.0], [0.0, 0.0], []])
def test_a_mixture_of_impossible_weights_is_refused(weights: list[float]) -> None:
    parts = [WeightedSource([(np.zeros((1, 1), np.uint8), "a")], weight) for weight in weights]
    with pytest.raises(DatasetError, match="expected weights of at least 0, one of them above 0"):
        Mixture(parts)


def test_each_process_gets_chunks_of_its_own(numbers) -> None:
    batches = make_batches(numbers)
    seen = [
        [batch.targets.tolist() for batch in load_batches(batches, 0, 8, rank=rank, world=2)]
        for rank in (0, 1)
    ]
    stream = [[batch.targets.tolist() for batch in batches[k]] for k in range(4)]
    assert seen[0] == stream[0] + stream[2]
    assert seen[1] == stream[1] + stream[3]


def one_sample_or(other: Sample) -> BucketedBatches:
    """BucketedBatches of a good sample, and as many of another."""
    good = (np.zeros((32, 64), np.uint8), "1")
    mixture = Mixture([WeightedSource([good]), WeightedSource([other])], seed=0)
    return BucketedBatches(mixture, Preprocess(), DIGITS, batch_size=4, batches=4)


@pytest.mark.parametrize(
    ("shape", "text"),
    [((96, 64), "123"), ((32, 64), "12345678901234567"), ((32, 64), "111111111")],
    ids=["tall", "more characters than steps", "repeats need a blank between"],
)
def test_what_cannot_be_learnt_from_is_drawn_again(shape: tuple[int, int], text: str) -> None:
    batches = one_sample_or((np.zeros(shape, np.uint8), text))
    assert {n for batch in batches[0] for n in batch.lengths.tolist()} == {1}


@pytest.mark.parametrize(("shape", "text"), [((96, 64), "12"), ((32, 64), "12121212")])
def test_what_can_be_learnt_from_is_not(shape: tuple[int, int], text: str) -> None:
    batches = one_sample_or((np.zeros(shape, np.uint8), text))
    assert {n for batch in batches[0] for n in batch.lengths.tolist()} == {1, len(text)}


def write_lmdb(path: Path, folder: LabelledFolder, label: bytes | None = None) -> None:
    import lmdb

    with lmdb.open(str(path), map_size=2**24) as env, env.begin(write=True) as txn:
        txn.put(b"num-samples", str(len(folder)).encode())
        for i, (file, text) in enumerate(zip(folder.paths, folder.texts, strict=True), start=1):
            txn.put(b"image-%09d" % i, file.read_bytes())
            txn.put(b"label-%09d" % i, label or text.encode())


def test_an_lmdb_is_read_on_both_sides_of_a_fork(numbers, tmp_path) -> None:
    folder = LabelledFolder(numbers)
    write_lmdb(tmp_path, folder)
    dataset = open_dataset(tmp_path)
    assert dataset[1][1] == folder.texts[1]
    with ProcessPoolExecutor(1, get_context("fork")) as pool:
        assert pool.submit(dataset.__getitem__, 2).result()[1] == folder.texts[2]
    assert dataset[3][1] == folder.texts[3]


def test_an_lmdb_with_a_damaged_label_is_refused(numbers, tmp_path) -> None:
    write_lmdb(tmp_path, LabelledFolder(numbers), b"\xff\xfe")
    with pytest.raises(DatasetError, match="label-000000001 is not UTF-8"):
        EncodableSubset(open_dataset(tmp_path), DIGITS)


def test_empty_labels_are_told_as_such(numbers, tmp_path) -> None:
    folder = shutil.copytree(numbers, tmp_path / "some")
    labels = folder / "labels.tsv"
    first, *others = labels.read_text().splitlines()
    labels.write_text("\n".join([first.split("\t")[0] + "\t", *others]))
    with pytest.raises(CharsetError, match="1 of 12 labels are empty"):
        EncodableSubset(LabelledFolder(folder), DIGITS)
    assert EncodableSubset(LabelledFolder(folder), DIGITS, skip=True).skipped == 1


def test_lmdb_of_the_benchmarks_is_read(numbers, tmp_path) -> None:
    folder = LabelledFolder(numbers)
    write_lmdb(tmp_path, folder)
    dataset = open_dataset(tmp_path)
    assert isinstance(dataset, Lmdb)
    assert dataset.texts == folder.texts
    np.testing.assert_array_equal(dataset[3][0], folder[3][0])
    with pytest.raises(IndexError):
        dataset[len(folder)]


def test_folder_that_is_no_lmdb_is_refused(tmp_path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(CrnnError):
        open_dataset(tmp_path)


def test_unknown_label_characters_are_named_or_skipped(numbers) -> None:
    some = Charset(tuple("01234567"))
    with pytest.raises(CharsetError, match="'8', '9'"):
        EncodableSubset(LabelledFolder(numbers), some)
    left = EncodableSubset(LabelledFolder(numbers), some, skip=True)
    assert 0 < len(left) < 12
    assert all(left[i][1] in some for i in range(len(left)))
    assert left.skipped == 12 - len(left)


@pytest.mark.parametrize(("separator", "between"), [(" ", "spaces"), ("\t", "tabs"), ("|", "'|'")])
def test_labels_that_a_charset_of_symbols_splits_elsewhere_are_explained(
    separator, between, numbers
) -> None:
    symbols = Charset((*"0123456789", "ten"), separator=separator)
    with pytest.raises(CharsetError, match="has tokens of several characters") as raised:
        EncodableSubset(LabelledFolder(numbers), symbols)
    assert f"such as ['ten'], so labels are split at {between}: extend" in str(raised.value)


def test_a_byte_order_mark_is_no_token(tmp_path) -> None:
    (tmp_path / "tokens").write_text("a\nb\n", encoding="utf-8-sig")
    assert parse_charset(f"@{tmp_path / 'tokens'}") == Charset(("a", "b"))


def test_a_file_without_tokens_is_named(tmp_path) -> None:
    (tmp_path / "tokens").write_text("\n")
    with pytest.raises(CharsetError, match=r"the charset file .*tokens is empty"):
        parse_charset(f"@{tmp_path / 'tokens'}")


def test_charset_of_a_file_may_have_long_tokens(tmp_path) -> None:
    (tmp_path / "tokens").write_text("clef-G2\nnote-C4_quarter\n")
    charset = parse_charset(f"@{tmp_path / 'tokens'}")
    assert charset.decode(charset.encode("clef-G2 note-C4_quarter")) == "clef-G2 note-C4_quarter"
    assert parse_charset("abc").tokens == ("a", "b", "c")


def test_an_lmdb_that_is_cut_short_is_refused(numbers, tmp_path) -> None:
    write_lmdb(tmp_path / "whole", LabelledFolder(numbers))
    data = (tmp_path / "whole" / "data.mdb").read_bytes()
    used = data.rstrip(b"\0")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "data.mdb").write_bytes(used[: len(used) // 2])
    with pytest.raises(DatasetError, match="is truncated: "):
        open_dataset(tmp_path / "cut")


@pytest.mark.parametrize("count", [b"9" * 25, b"9" * 5000, b"-3"])
def test_an_lmdb_of_impossible_many_samples_is_refused(count: bytes, numbers, tmp_path) -> None:
    import lmdb

    write_lmdb(tmp_path, LabelledFolder(numbers))
    with lmdb.open(str(tmp_path), map_size=2**24) as env, env.begin(write=True) as txn:
        txn.put(b"num-samples", count)
    with pytest.raises(DatasetError, match="no key 'num-samples'"):
        open_dataset(tmp_path)


def test_a_damaged_picture_in_an_lmdb_is_told_by_its_key(numbers, tmp_path) -> None:
    import lmdb

    write_lmdb(tmp_path, LabelledFolder(numbers))
    with lmdb.open(str(tmp_path), map_size=2**24) as env, env.begin(write=True) as txn:
        txn.put(b"image-000000002", b"garbage")
    with pytest.raises(DatasetError, match=r"image-000000002: cannot read"):
        open_dataset(tmp_path)[1]


def test_without_lmdb_it_is_told_what_to_install(numbers, tmp_path, monkeypatch) -> None:
    write_lmdb(tmp_path, LabelledFolder(numbers))
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(DatasetError, match="pip install lmdb"):
        open_dataset(tmp_path)
