"""The ordered tokens a model can emit, and the one place where text becomes class ids.

Class 0 is the CTC blank; class k + 1 is token k. A token is usually one character, but it may be
a symbol of another notation (`clef-G2`), in which case a separator joins tokens into text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from crnn_edge.errors import CharsetError

BLANK = 0
"""The class id of the CTC blank."""


@dataclass(frozen=True)
class Charset:
    """An ordered set of tokens.

    Attributes:
        tokens: What classes 1, 2, … stand for. Unique and not empty.
        separator: What stands between tokens in a text: nothing for characters, a space or a tab
            for music symbols. With a separator no token may contain it; without one every token
            must be a single character, so that a text is encoded in one way only.

    Raises:
        CharsetError: If the tokens are empty, repeated, or ambiguous without a separator.
    """

    tokens: tuple[str, ...]
    separator: str = ""

    def __post_init__(self) -> None:
        """Validate."""
        object.__setattr__(self, "tokens", tuple(self.tokens))
        if not isinstance(self.separator, str):
            raise CharsetError(f"the separator must be a str, got {self.separator!r}")
        if not self.tokens or not all(isinstance(t, str) and t for t in self.tokens):
            raise CharsetError("a charset needs at least one token, and no token may be empty")
        if not _encodable("".join(self.tokens) + self.separator):
            raise CharsetError(
                "token contains an unpaired surrogate and cannot be encoded as UTF-8"
            )
        if twice := [t for t, count in Counter(self.tokens).items() if count > 1]:
            raise CharsetError(f"tokens occur more than once: {twice[:10]}")
        if self.separator and (bad := [t for t in self.tokens if self.separator in t]):
            raise CharsetError(f"tokens contain the separator {self.separator!r}: {bad[:10]}")
        if not self.separator and (bad := [t for t in self.tokens if len(t) != 1]):
            raise CharsetError(
                f"tokens longer than one character need a separator: {bad[:10]}; "
                "give one, for example Charset(tokens, separator=' ')"
            )

    @classmethod
    def ascii(cls) -> Charset:
        """The 94 printable ASCII characters and the space: what the shipped models read."""
        return cls((*map(chr, range(0x21, 0x7F)), " "))

    @property
    def num_classes(self) -> int:
        """The C of logits `(N, T, C)`: the tokens and the blank."""
        return len(self.tokens) + 1

    @cached_property
    def _class_of(self) -> dict[str, int]:
        return {token: index + 1 for index, token in enumerate(self.tokens)}

    def __contains__(self, text: str) -> bool:
        """Whether every token of `text` is in the charset."""
        return all(token in self._class_of for token in self.split(text))

    def split(self, text: str) -> list[str]:
        """The tokens of a text, known or not."""
        if not self.separator:
            return list(text)
        return text.split(self.separator) if text else []

    def join(self, tokens: Iterable[str]) -> str:
        """The text of some tokens."""
        return self.separator.join(tokens)

    def encode(self, text: str) -> list[int]:
        """A text as class ids.

        Raises:
            CharsetError: If a token is not in the charset; the message names it and the text.
        """
        tokens = self.split(text)
        try:
            return [self._class_of[token] for token in tokens]
        except KeyError:
            unknown = sorted({t for t in tokens if t not in self._class_of})
            raise CharsetError(
                f"cannot encode {text!r}: {unknown[:10]} not among the charset's "
                f"{len(self.tokens)} tokens ({self.join(self.tokens)[:120]!r})"
            ) from None

    def decode(self, classes: Sequence[int]) -> str:
        """The text of class ids, none of which may be the blank.

        Raises:
            CharsetError: If an id is the blank or beyond the last class.
        """
        return self.join(self.token(class_id) for class_id in classes)

    def token(self, class_id: int) -> str:
        """The token of one class id.

        Raises:
            CharsetError: If the id is the blank or beyond the last class.
        """
        if not 0 < class_id < self.num_classes:
            raise CharsetError(
                f"class {class_id} is not a token: expected 1 to {self.num_classes - 1} (0 is "
                "the blank)"
            )
        return self.tokens[class_id - 1]


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
