"""Labelled crops: one half chooses the INT8 ranges, the other half judges the result.

Every crop goes through the model's own `manifest.preprocess`, so what calibrates is what the
device will see. A network's ranges depend on its padding, too; crops of all widths belong here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_edge.charset import Charset
from crnn_edge.errors import CrnnError, ImageError
from crnn_edge.images import Image
from crnn_edge.labels import LabelledFolder
from crnn_edge.preprocess import Preprocess

DEFAULT = Path(__file__).parent / "crops"
"""The crops that ship, rendered by this project.

Made by `python -m model.data.synth --fonts FONTS --words quantize/words.txt --count 500 --seed 2026
--strength 0.7 --out quantize/crops`, with the fonts of `python -m model.data.fonts --fetch FONTS`.
"""

MIN_CROPS = 8
"""Fewer crops, in either half, are no sample of anything."""


class CalibrationError(CrnnError, ValueError):
    """A set of crops that can neither calibrate nor judge a model."""


@dataclass(frozen=True)
class Crops:
    """Some of the crops of a labelled folder.

    Attributes:
        name: What tables and manifests call them.
        folder: Where they are read from, one by one.
        indices: Which of the folder's crops these are.
    """

    name: str
    folder: LabelledFolder
    indices: Sequence[int]

    @classmethod
    def load(cls, path: str | Path) -> Crops:
        """All crops of a folder with a `labels.tsv`.

        Raises:
            CalibrationError: If it holds fewer than `MIN_CROPS` crops.
        """
        folder = LabelledFolder(path)
        return cls(Path(path).resolve().name, folder, range(len(folder)))._enough()

    def halves(self) -> tuple[Crops, Crops]:
        """The first, third, … crop, for calibrating, and the second, fourth, …, for judging.

        Raises:
            CalibrationError: If a half holds fewer than `MIN_CROPS` crops.
        """
        even, odd = (Crops(self.name, self.folder, self.indices[k::2]) for k in (0, 1))
        return even._enough(), Crops(
            f"{self.name} (held-out half)", odd.folder, odd.indices
        )._enough()

    def spelt(self, charset: Charset) -> Crops:
        """Those whose labels a charset can spell: the others are misread however good a file is.

        An empty label is left out as well: a file that reads nothing at all would be right.
        """
        texts = self.folder.texts
        indices = tuple(i for i in self.indices if texts[i] and texts[i] in charset)
        if len(indices) == len(self):
            return self
        return Crops(f"{self.name} that can be spelt", self.folder, indices)

    def _enough(self) -> Crops:
        if len(self) < MIN_CROPS:
            raise CalibrationError(
                f"{self.name} gives {len(self)} crops where at least {MIN_CROPS} are needed "
                "(a calibration folder is split in two halves): add labelled crops, 200 are plenty"
            )
        return self

    def __str__(self) -> str:
        """For remarks: `300 crops of crops (held-out half)`."""
        return f"{len(self)} crops of {self.name}"

    def __len__(self) -> int:
        """How many crops."""
        return len(self.indices)

    @property
    def texts(self) -> list[str]:
        """The crops' labels."""
        return [self.folder.texts[index] for index in self.indices]

    def images(self) -> Iterator[Image]:
        """Each crop's picture."""
        return (self.folder[index][0] for index in self.indices)

    def tensors(self, preprocess: Preprocess) -> Iterator[npt.NDArray[np.float32]]:
        """Each crop as `(1, 1, H, W) float32`, each as wide as its own bucket.

        Raises:
            ImageError: If a crop cannot be read or is too wide; the message names its file.
        """
        for index in self.indices:
            try:
                yield preprocess(self.folder[index][0])[None]
            except ImageError as error:
                raise ImageError(f"{self.folder.paths[index]}: {error}") from None

    def provenance(self) -> dict[str, Any]:
        """What a manifest says of these crops: name, count, and a hash of pictures and labels."""
        digest = hashlib.sha256()
        for index in self.indices:
            picture = Path(self.folder.paths[index]).read_bytes()
            digest.update(hashlib.sha256(picture).digest())
            digest.update(self.folder.texts[index].encode() + b"\n")
        return {"set": self.name, "n": len(self), "sha256": digest.hexdigest()}
