"""Labelled images for training and validation: folders, LMDBs, and mixtures of sources.

A source is anything with `source[i] -> (image, text)`: image `uint8 (H, W)` or `(H, W, 3)` RGB.
Finite sources have a length; the renderer has none and never repeats itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
import numpy.typing as npt

from crnn_edge.charset import Charset
from crnn_edge.errors import CharsetError, CrnnError, ImageError
from crnn_edge.images import read_image
from crnn_edge.labels import LabelledFolder

Image = npt.NDArray[np.uint8]
Sample = tuple[Image, str]


_MAX_DIGITS = 12  # of the number of samples


class DatasetError(CrnnError, ValueError):
    """A dataset that is missing, empty, or in an unexpected format."""


class Source(Protocol):
    """Samples by number; it can be pickled."""

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`."""


class Lmdb(Sequence[Sample]):
    """An LMDB in the format of the common text-recognition benchmarks.

    Keys: `num-samples`, then from 1 on `image-%09d` (an encoded image) and `label-%09d` (UTF-8).
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
            # Reading beyond the end of a mapped file would kill the process.
            raise DatasetError(f"the LMDB {path} is truncated: it has {size:,} of {needed:,} bytes")
        with self._transaction() as transaction:
            count = transaction.get(b"num-samples")
        if count is None or not count.isdigit() or len(count) > _MAX_DIGITS:
            raise DatasetError(
                f"{path} is not a text-recognition LMDB: it has no key 'num-samples'"
            )
        self._length = int(count)

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """A read transaction, open no longer than needed: it must not cross a fork."""
        with self._environment() as environment, environment.begin() as transaction:
            yield transaction

    def _environment(self) -> Any:
        """The database, to be closed again."""
        try:
            import lmdb
        except ImportError:
            raise DatasetError(
                f"{self.path} is an LMDB, which needs the package lmdb: `pip install lmdb`"
            ) from None
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
            raise DatasetError(
                f"{self.path}: label-{index + 1:09d} is not UTF-8: {error}"
            ) from None

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
    """The dataset in a folder: an LMDB if it holds `data.mdb`, else images with labels."""
    path = Path(path)
    return Lmdb(path) if (path / "data.mdb").exists() else LabelledFolder(path)


class EncodableSubset(Sequence[Sample]):
    """The samples of a finite dataset whose labels a charset can encode.

    Attributes:
        dataset: The dataset.
        indices: Which of its samples these are.
        texts: Their labels, without unlabelled characters.
        skipped: How many are left out.
    """

    def __init__(
        self,
        dataset: LabelledFolder | Lmdb,
        charset: Charset,
        *,
        skip: bool = False,
        unlabelled: Set[str] = frozenset(),
    ) -> None:
        """Check every label.

        Args:
            dataset: What to select from.
            charset: That of the model.
            skip: Leave out-of-charset and empty labels out instead of refusing the dataset.
            unlabelled: Tokens that the labels are supposed to leave out; they are removed from
                labels that have them.

        Raises:
            CharsetError: If a label is empty or out of charset, and `skip` is off.
            DatasetError: If nothing is left.
        """
        texts = dataset.texts
        if unlabelled:
            kept = ([t for t in charset.split(text) if t not in unlabelled] for text in texts)
            texts = [charset.join(tokens) for tokens in kept]
        self.dataset = dataset
        self.indices = [i for i, text in enumerate(texts) if text and text in charset]
        self.texts = [texts[i] for i in self.indices]
        self.skipped = len(texts) - len(self.indices)
        if self.skipped and not skip:
            _refuse(texts, charset, self.skipped)
        if not self.indices:
            raise DatasetError("no label of the dataset can be encoded in the charset")

    def __len__(self) -> int:
        """How many samples are left."""
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        """Sample `index` of those left."""
        return self.dataset[self.indices[index]][0], self.texts[index]


def _refuse(texts: Sequence[str], charset: Charset, skipped: int) -> NoReturn:
    """Raise a CharsetError that shows one of the labels that cannot be encoded."""
    bad = next((t for t in texts if t not in charset), None)
    if bad is None:
        raise CharsetError(
            f"{skipped} of {len(texts)} labels are empty: skip these crops with "
            "--out-of-charset skip"
        )
    unknown = sorted({token for t in texts for token in charset.split(t)} - set(charset.tokens))
    raise CharsetError(
        f"{skipped} of {len(texts)} labels contain characters outside the charset, for example "
        f"{bad!r} ({unknown[:20]}){_how_split(charset)}: extend --charset or use "
        "--out-of-charset skip"
    )


def _how_split(charset: Charset) -> str:
    """Why a label's characters may be tokens and the label still out of charset: a separator."""
    if not charset.separator:
        return ""
    between = {" ": "spaces", "\t": "tabs"}.get(charset.separator, repr(charset.separator))
    long = [token for token in charset.tokens if len(token) > 1]
    reason = f"has tokens of several characters, such as {long[:3]}" if long else "has a separator"
    return f"; the charset {reason}, so labels are split at {between}"


@dataclass(frozen=True)
class WeightedSource:
    """A source with its share of a mixture.

    Attributes:
        source: Where samples come from.
        weight: Its share, relative to the other sources.
        augment: Applied to each image in turn, with the sample's own random generator.
        unlabelled: Classes that its images may show and its labels leave out.
    """

    source: Source
    weight: float = 1.0
    augment: Sequence[Callable[[Image, np.random.Generator], Image]] = ()
    unlabelled: tuple[int, ...] = ()


@dataclass(frozen=True)
class Mixture:
    """An endless, reproducible stream of samples from weighted sources.

    Sample i depends only on the seed and on i, whichever process draws it in whichever order.
    """

    sources: Sequence[WeightedSource]
    seed: int = 0
    _edges: npt.NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Turn weights into the edges of each source's share."""
        weights = np.array([source.weight for source in self.sources], dtype=np.float64)
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum():
            raise DatasetError(
                "expected weights of at least 0, one of them above 0, got "
                f"{weights.tolist()}: change --synth, --splice or the weights of --data"
            )
        object.__setattr__(self, "_edges", np.cumsum(weights / weights.sum()))

    def __getitem__(self, index: int) -> tuple[Image, str, WeightedSource]:
        """Sample `index` of the stream, and the source that it comes from."""
        # A random stream of its own: sources use (seed, index) themselves. If the same number chose
        # the source and was the first that the source drew, it would never be large in the first
        # source nor small in the last.
        rng = np.random.default_rng((self.seed, index, 2))
        choice = int(np.searchsorted(self._edges, rng.random(), side="right"))
        source = self.sources[min(choice, len(self.sources) - 1)]
        if isinstance(source.source, Sequence):
            image, text = source.source[int(rng.integers(len(source.source)))]
        else:
            image, text = source.source[index]
        for change in source.augment:
            image = change(image, rng)
        return image, text, source
