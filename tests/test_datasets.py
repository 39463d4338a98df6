from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from model.data.datasets import DatasetError, Lmdb, Mixture, Part, Spellable, open_dataset
from model.data.sampling import Chunks
from model.setup import parse_charset
from runtime.charset import Charset
from runtime.errors import CharsetError, CrnnError, ImageError
from runtime.images import LabelledFolder
from runtime.preprocess import Preprocess

DIGITS = Charset(tuple("0123456789"))


def make_chunks(numbers: Path, **settings) -> Chunks:
    mixture = Mixture([Part(LabelledFolder(numbers))], seed=3)
    return Chunks(mixture, Preprocess(), DIGITS, batch_size=4, batches=4, **settings)


def test_chunks_are_the_same_whoever_makes_them(numbers) -> None:
    first, again = make_chunks(numbers)[5], make_chunks(numbers)[5]
    assert len(first) == 4
    for one, two in zip(first, again, strict=True):
        torch.testing.assert_close(one.tensor, two.tensor, rtol=0, atol=0)
        assert one.targets.tolist() == two.targets.tolist()
    other = make_chunks(numbers)[6]
    assert any(a.targets.tolist() != b.targets.tolist() for a, b in zip(first, other, strict=True))


def test_batches_hold_what_the_device_would_see(numbers) -> None:
    dataset = LabelledFolder(numbers)
    seen = {dataset[i][1]: Preprocess()(dataset[i][0]) for i in range(len(dataset))}
    for batch in make_chunks(numbers)[0]:
        texts = batch.targets.split(batch.lengths.tolist())
        assert len(texts) == len(batch.tensor) == 4
        for tensor, classes in zip(batch.tensor.numpy(), texts, strict=True):
            expected = seen[DIGITS.decode(classes.tolist())]
            width = expected.shape[-1]
            np.testing.assert_array_equal(tensor[..., :width], expected)
            assert not tensor[..., width:].any()


def test_chunks_give_up_when_nothing_fits(numbers) -> None:
    with pytest.raises(ImageError, match="100 samples"):
        make_chunks(numbers, max_width=32)[0]


def test_mixture_draws_by_weight() -> None:
    one, two = (Part([(np.zeros((1, 1), np.uint8), t)], w) for t, w in (("a", 3.0), ("b", 1.0)))
    mixture = Mixture([one, two], seed=0)
    share = np.mean([mixture[i][1] == "a" for i in range(2000)])
    assert 0.72 < share < 0.78
    assert [mixture[i][1] for i in range(50)] == [mixture[i][1] for i in range(50)]


def test_mixture_without_weight_is_refused() -> None:
    with pytest.raises(DatasetError):
        Mixture([])
    with pytest.raises(DatasetError):
        Mixture([Part([(np.zeros((1, 1), np.uint8), "a")], 0.0)])


def test_lmdb_of_the_benchmarks_is_read(numbers, tmp_path) -> None:
    import lmdb

    folder = LabelledFolder(numbers)
    with lmdb.open(str(tmp_path), map_size=2**24) as env, env.begin(write=True) as txn:
        txn.put(b"num-samples", str(len(folder)).encode())
        for i, (path, text) in enumerate(zip(folder.paths, folder.texts, strict=True), start=1):
            txn.put(b"image-%09d" % i, path.read_bytes())
            txn.put(b"label-%09d" % i, text.encode())
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
        Spellable(LabelledFolder(numbers), some)
    left = Spellable(LabelledFolder(numbers), some, skip=True)
    assert 0 < len(left) < 12
    assert all(left[i][1] in some for i in range(len(left)))
    assert left.skipped == 12 - len(left)


def test_charset_of_a_file_may_have_long_tokens(tmp_path) -> None:
    (tmp_path / "tokens").write_text("clef-G2\nnote-C4_quarter\n")
    charset = parse_charset(f"@{tmp_path / 'tokens'}")
    assert charset.decode(charset.encode("clef-G2 note-C4_quarter")) == "clef-G2 note-C4_quarter"
    assert parse_charset("abc").tokens == ("a", "b", "c")
