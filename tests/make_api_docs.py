"""Write docs/api.md from the docstrings of the package: `make docs`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import crnn_edge

PAGE = Path(__file__).parents[1] / "docs" / "api.md"

HEAD = """# API

Generated from the docstrings by `make docs`: what `from crnn_edge import …` provides.
Parameters of commands: `crnn-edge --help`.
"""

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises):$")
_ENTRY = re.compile(r"^    (\*{0,2}\w+): (.*)$")


def page() -> str:
    """The whole page."""
    public = [name for name in crnn_edge.__all__ if not name.startswith("_")]
    names = sorted(public, key=lambda name: (name != "Recognizer", name.lower()))
    return "\n".join([HEAD, *(line for name in names for line in entry(name))])


def entry(name: str) -> Iterator[str]:
    """A class with its public members, or a function."""
    value = getattr(crnn_edge, name)
    if not inspect.isclass(value):
        yield from _described(f"## {name}", f"{name}{_signature(value)}", value)
        return
    is_error = issubclass(value, Exception) or getattr(value, "_is_protocol", False)
    call = "" if is_error else f"{name}{_signature(value)}"
    yield from _described(f"## {name}", call, value)
    for member, attribute in vars(value).items():
        special = member == "__call__"
        if (member.startswith("_") and not special) or inspect.isclass(attribute):
            continue
        if isinstance(attribute, property) or hasattr(attribute, "func"):  # cached_property
            yield from _described(f"### {name}.{member}", "", attribute)
        elif callable(getattr(value, member)):
            title = f"{name.lower()}" if special else f"{name}.{member}"
            bound = getattr(value, member)
            yield from _described(f"### {title}", f"{title}{_signature(bound)}", bound)


def _signature(value: Any) -> str:
    """Parameters and result, one parameter a line where they are long."""
    signature = inspect.signature(value)
    kept = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    parts, keyword_only = [], False
    for parameter in kept:
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            parts.append("*")
            keyword_only = True
        stars = {parameter.VAR_KEYWORD: "**", parameter.VAR_POSITIONAL: "*"}.get(parameter.kind, "")
        kind = "" if parameter.annotation is parameter.empty else f": {parameter.annotation}"
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        parts.append(f"{stars}{parameter.name}{kind}{default}")
    result = signature.return_annotation
    returns = "" if result in (signature.empty, "None") else f" -> {result}"
    line = f"({', '.join(parts)}){returns}"
    return line if len(line) < 80 else "(\n    " + ",\n    ".join(parts) + f"\n){returns}"


def _described(heading: str, call: str, value: Any) -> Iterator[str]:
    yield from (heading, "")
    if call:
        yield from ("```text", call, "```", "")
    yield from (*markdown(inspect.getdoc(value) or ""), "")


def markdown(docstring: str) -> Iterator[str]:
    """A Google-style docstring as Markdown: sections become lists."""
    section = ""
    for line in docstring.splitlines():
        if match := _SECTION.match(line):
            section = match[1]
            yield f"*{section}:*"
            yield ""
        elif section and (found := _ENTRY.match(line)):
            yield f"* `{found[1]}`: {found[2]}"
        elif section and line.startswith("    "):
            yield "  " + line.strip()
        else:
            section = "" if line and not line.startswith(" ") else section
            yield line


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
