"""Labelled crops: one half chooses the INT8 ranges, the other half validates the result.

Every crop goes through the model's own `manifest.preprocess`, so calibration sees what the device
will see. Ranges depend on padding, too, so crops of all widths belong here.
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
from crnn_edge.labels import LabelledFolder
from crnn_edge.preprocess import Preprocess
from crnn_edge.types import Image

DEFAULT_CALIBRATION_SET = Path(__file__).parent / "crops"
"""The crops in the repository, rendered by this project.

Made by `python -m model.data.synth --fonts FONTS --words quantize/words.txt --count 500 --seed 2026
--strength 0.7 --out quantize/crops`, with the fonts of `python -m model.data.fonts --fetch FONTS`.
"""

MIN_CROPS = 8
"""The least number of crops that calibrate, and the least that validate."""


class CalibrationError(CrnnError, ValueError):
    """A set of crops that can neither calibrate nor validate a model."""


@dataclass(frozen=True)
class LabelledCrops:
    """Some of the crops of a labelled folder.

    Attributes:
        name: The name in tables and manifests.
        folder: Where the crops are read from, one by one.
        indices: Which of the folder's crops these are.
    """

    name: str
    folder: LabelledFolder
    indices: Sequence[int]

    @classmethod
    def load(cls, path: str | Path) -> LabelledCrops:
        """All crops of a folder with a `labels.tsv`.

        Raises:
            CalibrationError: If it holds fewer than `MIN_CROPS` crops.
        """
        folder = LabelledFolder(path)
        return cls(Path(path).resolve().name, folder, range(len(folder)))._checked()

    def split(self) -> tuple[LabelledCrops, LabelledCrops]:
        """The 1st, 3rd, … crop, to calibrate with, and the 2nd, 4th, …, to validate with.

        Raises:
            CalibrationError: If a half holds fewer than `MIN_CROPS` crops.
        """
        names = (self.name, f"{self.name} (held-out half)")
        first, second = (
            LabelledCrops(name, self.folder, self.indices[start::2])._checked()
            for start, name in enumerate(names)
        )
        return first, second

    def encodable(self, charset: Charset) -> LabelledCrops:
        """The crops whose labels consist of a charset's tokens; no model reads the others right.

        Crops with an empty label are left out as well: a model that never reads anything would
        read them right.
        """
        texts = self.folder.texts
        indices = tuple(i for i in self.indices if texts[i] and texts[i] in charset)
        if len(indices) == len(self):
            return self
        return LabelledCrops(f"{self.name} (encodable labels)", self.folder, indices)

    def _checked(self) -> LabelledCrops:
        if len(self) < MIN_CROPS:
            raise CalibrationError(
                f"{self.name} has {len(self)} crops: expected at least {MIN_CROPS}, and twice as "
                "many in a calibration folder, of which half are for validation. Add labelled "
                "crops; 200 are enough"
            )
        return self

    def __str__(self) -> str:
        """For messages: `300 crops of words (held-out half)`."""
        return f"{len(self)} crops of {self.name}"

    def __len__(self) -> int:
        """The number of crops."""
        return len(self.indices)

    @property
    def texts(self) -> list[str]:
        """The labels."""
        return [self.folder.texts[index] for index in self.indices]

    def images(self) -> Iterator[Image]:
        """The images."""
        return (self.folder[index][0] for index in self.indices)

    def tensors(self, preprocess: Preprocess) -> Iterator[npt.NDArray[np.float32]]:
        """Each crop as `(1, 1, H, W) float32`, W being the width of its own bucket.

        Raises:
            ImageError: If a crop cannot be read or is too wide; the message names its file.
        """
        for index in self.indices:
            try:
                yield preprocess(self.folder[index][0])[None]
            except ImageError as error:
                raise ImageError(f"{self.folder.paths[index]}: {error}") from None

    def provenance(self) -> dict[str, Any]:
        """For a manifest: name, number of crops, and a hash of all images and labels."""
        digest = hashlib.sha256()
        for index in self.indices:
            image = Path(self.folder.paths[index]).read_bytes()
            digest.update(hashlib.sha256(image).digest())
            digest.update(self.folder.texts[index].encode() + b"\n")
        return {"set": self.name, "n": len(self), "sha256": digest.hexdigest()}
