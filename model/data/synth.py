"""An endless, repeatable set of rendered words: item i is the same in whichever process.

    synth = Synth(find_faces(["fonts"]), TextSource(None, Charset.ascii()), seed=1)
    image, text = synth[0]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model.data import fontsource
from model.data.augment import Augment
from model.data.fonts import Face
from model.data.render import render
from model.data.text import TextSource

_EVERYDAY = 3.0  # how much more often an everyday family is drawn than another


class Synth:
    """Rendered words by number.

    Args:
        faces: What to write with.
        text_source: What to write.
        seed: Another seed, another set.
        strength: Of the degradation; see `Augment`.
    """

    def __init__(
        self, faces: Sequence[Face], text_source: TextSource, seed: int, strength: float = 1.0
    ) -> None:
        if not faces:
            raise ValueError("no font face given: use find_faces()")
        families: dict[str, list[Face]] = {}
        for face in faces:
            families.setdefault(face.family, []).append(face)
        self.families = tuple(tuple(family) for family in families.values())
        everyday = fontsource.families()
        shares = [_EVERYDAY if everyday.get(name) else 1.0 for name in families]
        self._edges = np.cumsum(shares) / np.sum(shares)
        self.text_source = text_source
        self.seed = seed
        self.augment = Augment(strength)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.uint8], str]:
        """A picture `uint8 (H, W)` and its text; any index from 0 on."""
        rng = np.random.default_rng((self.seed, index))
        face, text = self._subject(rng)
        image = render(text, face, rng, lambda: self.text_source.sample(rng))
        return self.augment(image, rng), text

    def _subject(self, rng: np.random.Generator) -> tuple[Face, str]:
        """A face and a text that it can draw; texts too rare for a face wait for another."""
        text = self.text_source.sample(rng)
        for _ in range(50):
            family = self.families[int(np.searchsorted(self._edges, rng.random(), "right"))]
            face = family[int(rng.random() * len(family))]
            if spelled := face.spell(text):
                return face, spelled
        return self._subject(rng)
