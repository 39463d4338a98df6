"""Things that show text, each drawn by a style of its own: displays, counters, labels.

A style is a module with a class `Style`. `load_style("lcd")` gives the one in this folder,
`load_style("mine.neon")` one of yours, and `StyledText` draws from it without end.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from crnn_edge.charset import Charset
from crnn_edge.errors import CrnnError
from model.data.augment.corruptions import Augment
from model.data.fonts import Face
from model.data.render.geometry import Pixels

_TRIES = 200  # texts to look for one that can be drawn and spelt


class Style(Protocol):
    """One kind of thing that shows text."""

    def sample_text(self, rng: np.random.Generator) -> str:
        """A text as this kind of thing shows it."""

    def covers(self, text: str) -> bool:
        """Whether it can draw a text."""

    def draw(self, text: str, rng: np.random.Generator, faces: Sequence[Face]) -> Pixels:
        """A crop that shows a text, `(H, W) uint8`, before the camera's own faults.

        Args:
            text: What to show; the style covers it.
            rng: The only source of chance.
            faces: Fonts to choose from.
        """


def style_names() -> list[str]:
    """The names of the styles that there are, in order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_style(name: str) -> Style:
    """The style of a name.

    Args:
        name: One of `style_names()`, or the dotted name of a module with a class `Style`.

    Raises:
        CrnnError: If there is no such module, or it has no `Style`.
    """
    if "." in name:
        module = name
    elif name in (names := style_names()):
        module = f"{__name__}.{name}"
    else:
        raise CrnnError(
            f"no style {name!r}: there are {', '.join(names)}; the dotted name of a module, such "
            "as mine.neon, is a style of your own"
        )
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, and lacks another
        raise CrnnError(f"no style {name}: found no module {error.name}") from None
    if not hasattr(found, "Style"):
        raise CrnnError(f"no style {name}: the module has no class Style")
    style: Style = found.Style()
    return style


class StyledText:
    """Pictures of a style by number, without end: item i is the same in whichever process."""

    def __init__(
        self,
        style: Style,
        faces: Sequence[Face],
        seed: int,
        strength: float = 1.0,
        charset: Charset | None = None,
        texts: Callable[[np.random.Generator], str] | None = None,
    ) -> None:
        """Set up.

        Args:
            style: What to draw.
            faces: Fonts to draw with.
            seed: Another seed, another set.
            strength: Of the degradation; see `Augment`.
            charset: What texts are made of; all printable ASCII if None.
            texts: Gives texts in place of the style's own.
        """
        self.style = style
        self.faces = faces
        self.seed = seed
        self.augment = Augment(strength)
        self.texts = texts or style.sample_text
        self._allowed = frozenset((charset or Charset.ascii()).tokens)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.uint8], str]:
        """A picture `(H, W) uint8` and its text; any index from 0 on.

        Raises:
            CrnnError: If the style cannot draw the texts, or the charset cannot spell them.
        """
        rng = np.random.default_rng((self.seed, index))
        for _ in range(_TRIES):
            text = self.texts(rng)
            if self._allowed.issuperset(text) and self.style.covers(text):
                return self.augment(self.style.draw(text, rng, self.faces), rng), text
        raise CrnnError(
            f"none of {_TRIES} texts, such as {text!r}, is of the charset and of what the style "
            "can draw"
        )
