"""Labelled images to train and measure on: folders, the field's LMDBs, and mixtures of sources.

A source is anything with `source[i] -> (image, text)`: image `uint8 (H, W)` or `(H, W, 3)` RGB.
Finite ones have a length; the synthesizer has none and never repeats itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from crnn_edge.charset import Charset
from crnn_edge.errors import CharsetError, CrnnError, ImageError
from crnn_edge.images import read_image
from crnn_edge.labels import LabelledFolder

Image = npt.NDArray[np.uint8]
Sample = tuple[Image, str]


_DIGITS = 12  # of a number of samples, at most


class DatasetError(CrnnError, ValueError):
    """A dataset that is missing, empty, or not laid out as expected."""


class Source(Protocol):
    """Samples by number, which survive being sent to another process."""

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`."""


class Lmdb(Sequence[Sample]):
    """An LMDB as the field's benchmark repositories write it.

    Keys: `num-samples`, then from 1 on `image-%09d` (an encoded picture) and `label-%09d` (UTF-8).
    """

    def __init__(self, path: Path) -> None:
        """Open `path`, a folder with a `data.mdb`.

        Raises:
            DatasetError: If it is no such LMDB.
        """
        self.path = Path(path)
        with self._environment() as environment:
            needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
        if (size := (self.path / "data.mdb").stat().st_size) < needed:
            # To read beyond the end of a mapped file would be the end of the process.
            raise DatasetError(f"the LMDB {path} is cut short: {size:,} of {needed:,} bytes")
        with self._transaction() as transaction:
            count = transaction.get(b"num-samples")
        if count is None or not count.isdigit() or len(count) > _DIGITS:
            raise DatasetError(f"{path} is no text-recognition LMDB: it has no key 'num-samples'")
        self._length = int(count)

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """A view of the database, open no longer than needed: it must not cross a fork."""
        with self._environment() as environment, environment.begin() as transaction:
            yield transaction

    def _environment(self) -> Any:
        """The database, to be closed again."""
        try:
            import lmdb
        except ImportError:
            raise DatasetError(f"{self.path} is an LMDB: `pip install lmdb` reads it") from None
        try:
            return lmdb.open(str(self.path), readonly=True, lock=False, readahead=False)
        except lmdb.Error as error:
            raise DatasetError(f"cannot open the LMDB {self.path}: {error}") from None

    def __len__(self) -> int:
        """How many samples."""
        return self._length

    @property
    def texts(self) -> list[str]:
        """Every label, in order."""
        with self._transaction() as transaction:
            return [self._label(transaction, index) for index in range(len(self))]

    def _label(self, transaction: Any, index: int) -> str:
        label = transaction.get(b"label-%09d" % (index + 1))
        if label is None:
            raise DatasetError(f"{self.path} has no label-{index + 1:09d}")
        try:
            return str(label, "utf-8")
        except UnicodeDecodeError as error:
            raise DatasetError(f"{self.path}: label-{index + 1:09d} is no UTF-8: {error}") from None

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        """Sample `index`, from 0."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        with self._transaction() as transaction:
            data = transaction.get(b"image-%09d" % (index + 1))
            text = self._label(transaction, index)
        if data is None:
            raise DatasetError(f"{self.path} has no image-{index + 1:09d}")
        try:
            return read_image(data), text
        except ImageError as error:
            raise DatasetError(f"{self.path}, image-{index + 1:09d}: {error}") from None


def open_dataset(path: Path) -> LabelledFolder | Lmdb:
    """The dataset in a folder: an LMDB if it holds `data.mdb`, else pictures with labels."""
    path = Path(path)
    return Lmdb(path) if (path / "data.mdb").exists() else LabelledFolder(path)


class EncodableSubset(Sequence[Sample]):
    """The samples of a finite dataset that a charset can spell."""

    def __init__(
        self, dataset: LabelledFolder | Lmdb, charset: Charset, *, skip: bool = False
    ) -> None:
        """Check every label.

        Args:
            dataset: What to select from.
            charset: What the model reads.
            skip: Leave samples with other characters out instead of refusing the dataset.

        Raises:
            CharsetError: If a label has an unknown character and `skip` is off.
            DatasetError: If nothing is left.
        """
        texts = dataset.texts
        self.dataset = dataset
        self.indices = [i for i, text in enumerate(texts) if text and text in charset]
        self.skipped = len(texts) - len(self.indices)
        if self.skipped and not skip:
            bad = next((t for t in texts if t not in charset), None)
            if bad is None:
                raise CharsetError(
                    f"{self.skipped} of {len(texts)} labels are empty, and there is nothing to "
                    "learn from these: leave them out with --unknown skip"
                )
            unknown = sorted(
                {token for t in texts for token in charset.split(t)} - set(charset.tokens)
            )
            raise CharsetError(
                f"{self.skipped} of {len(texts)} labels cannot be spelt, such as {bad!r}: "
                f"{unknown[:20]} not in the charset{_how_split(charset)}. Give a --charset that "
                "has them, or leave these crops out with --unknown skip"
            )
        if not self.indices:
            raise DatasetError("no label of the dataset can be spelt in the charset")

    def __len__(self) -> int:
        """How many samples are left."""
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        """Sample `index` of those left."""
        return self.dataset[self.indices[index]]


def _how_split(charset: Charset) -> str:
    """Why a label's characters may be in a charset and the label not: one of symbols."""
    if not charset.separator:
        return ""
    between = {" ": "spaces", "\t": "tabs"}.get(charset.separator, repr(charset.separator))
    long = [token for token in charset.tokens if len(token) > 1]
    told = (
        f"has tokens longer than one character, such as {long[:3]}, so" if long else "is such that"
    )
    return f", which {told} labels are split at {between}"


@dataclass(frozen=True)
class Part:
    """A source's share of a mixture.

    Attributes:
        source: Where samples come from.
        weight: Its share, relative to the other parts.
        augment: Applied to each image in turn, with the sample's own generator.
    """

    source: Source
    weight: float = 1.0
    augment: Sequence[Callable[[Image, np.random.Generator], Image]] = ()


@dataclass(frozen=True)
class Mixture:
    """An endless, reproducible stream of samples from weighted parts.

    Sample i depends on the seed and on i alone, whichever process draws it in whichever order.
    """

    parts: Sequence[Part]
    seed: int = 0
    _edges: npt.NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Turn weights into the edges of each part's share."""
        weights = np.array([part.weight for part in self.parts], dtype=np.float64)
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum():
            raise DatasetError(
                "a mixture needs at least one part with a weight above 0, and none below, got "
                f"{weights.tolist()}"
            )
        object.__setattr__(self, "_edges", np.cumsum(weights / weights.sum()))

    def __getitem__(self, index: int) -> Sample:
        """Sample `index` of the stream."""
        # A stream of its own: parts draw from (seed, index) themselves, and the number that chose a
        # part would be the first that it gets. It would never be large in the first part, nor ever
        # small in the last, and so be no random number there.
        rng = np.random.default_rng((self.seed, index, 2))
        choice = int(np.searchsorted(self._edges, rng.random(), side="right"))
        part = self.parts[min(choice, len(self.parts) - 1)]
        if isinstance(part.source, Sequence):
            image, text = part.source[int(rng.integers(len(part.source)))]
        else:
            image, text = part.source[index]
        for change in part.augment:
            image = change(image, rng)
        return image, text
