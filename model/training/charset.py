"""The `--charset` option."""

from __future__ import annotations

from pathlib import Path

from crnn_edge.charset import Charset
from crnn_edge.errors import CharsetError


def parse_charset(text: str) -> Charset:
    """The charset of a `--charset`: its characters, or `@FILE` with one token a line.

    Raises:
        CharsetError: If there is no token, the file cannot be read, or tokens are repeated.
    """
    if not text:
        raise CharsetError("--charset is empty: give its characters, or omit it for the default")
    if not text.startswith("@") or len(text) == 1:
        return Charset(tuple(text))
    try:
        # A byte order mark is not a token.
        lines = Path(text[1:]).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CharsetError(f"cannot read the charset file {text[1:]}: {reason}") from None
    tokens = tuple(line for line in lines if line)
    if not tokens:
        raise CharsetError(f"the charset file {text[1:]} is empty: expected one token a line")
    return Charset(tokens, separator="" if all(len(t) == 1 for t in tokens) else " ")
