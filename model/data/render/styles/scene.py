"""Scene text: words on signs, walls, packaging and screens, as a camera may have cropped them.

Lettering is rasterized flat at about its final size, given effects (fill, outline, shadow, depth),
mapped into the crop by one warp, and laid over a background.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from crnn_edge.charset import Charset
from model.data.fonts import Face
from model.data.render.background import background, draw_distractors
from model.data.render.compose import compose
from model.data.render.geometry import Pixels, random_warp
from model.data.render.parameters import CropPadding, Effects, Ground, Lettering, Tones, Viewpoint
from model.data.render.rasterize import rasterize
from model.data.render.text_effects import apply_effects
from model.data.text.text_source import TextSource


@lru_cache(maxsize=1)
def _texts() -> TextSource:
    return TextSource(None, Charset.ascii())


@dataclass(frozen=True)
class Style:
    """Words in any face on any ground.

    Attributes:
        tones: Gray levels of text and ground.
        padding: Room around the text.
        lettering: How the text is set.
        effects: What letters are made of.
        ground: What they stand on.
        viewpoint: How they are seen.
    """

    tones: Tones = field(default_factory=Tones)
    padding: CropPadding = field(default_factory=CropPadding)
    lettering: Lettering = field(default_factory=Lettering)
    effects: Effects = field(default_factory=Effects)
    ground: Ground = field(default_factory=Ground)
    viewpoint: Viewpoint = field(default_factory=Viewpoint)

    def sample_text(self, rng: np.random.Generator) -> str:
        """A word, a number, a code, or what else signs say."""
        return _texts().sample(rng)

    def covers(self, text: str) -> bool:
        """Whether it can draw a text: any printable one that a face covers."""
        return bool(text) and text.isprintable()

    def draw(
        self,
        text: str,
        rng: np.random.Generator,
        faces: Sequence[Face],
        distractor_text: Callable[[], str] = lambda: "and",
    ) -> Pixels:
        """A crop `(H, W) uint8`, some 10 to 90 px high, before the camera's own faults.

        Args:
            text: What to write.
            rng: The source of chance.
            faces: What to write it in: one of those that cover it, of which there must be one.
            distractor_text: Gives texts for what stands beside it.
        """
        able = faces if len(faces) == 1 else [face for face in faces if face.covers >= set(text)]
        face = able[0] if len(able) == 1 else able[int(rng.random() * len(able))]
        padding = self._padding(rng)
        ink, box = rasterize(rng, self.lettering, face, text, distractor_text, padding)
        level, ground = self._levels(rng)
        low, spread = self.lettering.scale
        warp = random_warp(rng, self.viewpoint, box, low + spread * rng.random(), padding)
        layer = warp(apply_effects(rng, self.effects, ink, box, level, ground))
        surface = background(rng, self.ground, warp.height, warp.width, ground, level - ground)
        if rng.random() < self.ground.things_chance:
            draw_distractors(rng, self.ground, surface, warp.inner)
        return compose(surface, layer)

    def _levels(self, rng: np.random.Generator) -> tuple[float, float]:
        """Gray levels of text and ground: either may be the lighter."""
        low, spread = self.tones.contrast
        contrast = low + spread * float(rng.beta(*self.tones.contrast_beta))
        darker = (255 - contrast) * rng.random()
        lighter = darker + contrast
        return (darker, lighter) if rng.random() < self.tones.dark_text else (lighter, darker)

    def _padding(self, rng: np.random.Generator) -> tuple[float, float, float, float]:
        """Room left, above, right and below, in heights of the text."""
        padding, kind = self.padding, rng.random()
        low, high = padding.loose
        if kind < padding.tight_until:
            low, high = padding.tight
        elif kind < padding.usual_until:
            low, high = padding.usual
        left, top, right, bottom = (low + (high - low) * rng.random(4)).tolist()
        if kind > padding.wide_from:
            left, right = (np.array([left, right]) + padding.wide * rng.random(2)).tolist()
        return left, top, right, bottom
