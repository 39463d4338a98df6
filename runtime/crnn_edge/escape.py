"""Texts of strangers (file names, manifests) for terminals and tables: control characters escaped.

A newline or tab in a file name would forge a row of a table, an escape code would reach the
terminal, and a bidirectional override would reorder what is shown.
"""

from __future__ import annotations

_BIDIRECTIONAL = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_HIDDEN = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *_BIDIRECTIONAL)
_SHORT = {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r"}
_LINE = {k: f"\\x{k:02x}" if k < 0x100 else f"\\u{k:04x}" for k in _HIDDEN} | _SHORT
_LINES = {k: text for k, text in _LINE.items() if k != ord("\n")}
_JSON = {k: f"\\u{k:04x}" for k in _HIDDEN if k >= 0x20}  # those below are escaped in JSON


def escape_line(text: object) -> str:
    r"""A text on one line, without tabs: a newline as `\n`, an escape code as `\x1b`."""
    return str(text).translate(_LINE)


def escape_lines(text: object) -> str:
    """A text of several lines, with all other control characters escaped."""
    return str(text).translate(_LINES)


def escape_json(document: str) -> str:
    """A JSON document on one line, without the control characters that JSON allows in strings."""
    return document.translate(_JSON)
