"""Frozen dataclasses of settings to JSON and back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import NoneType
from typing import Any, Self, get_args, get_origin, get_type_hints

from crnn_edge.errors import CrnnError


class ConfigError(CrnnError, ValueError):
    """Settings that are out of range, contradict each other, or are not valid JSON."""


class JsonConfig:
    """Base of frozen dataclasses of JSON values, paths, tuples and further such dataclasses."""

    def to_json(self) -> str:
        """A JSON object; paths are absolute, so that they hold from any working directory."""
        return json.dumps(to_jsonable(self))

    @classmethod
    def from_json(cls, text: str, source: str = "the settings") -> Self:
        """Parse what `to_json` wrote.

        Args:
            text: A JSON object.
            source: Where it comes from, for error messages.

        Raises:
            ConfigError: If the text is not JSON, or its fields are unknown, missing or invalid.
        """
        try:
            values = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ConfigError(f"{source} is not JSON: {error}") from None
        return cls.from_values(values, source)

    @classmethod
    def from_values(cls, values: Any, source: str = "the settings") -> Self:
        """Parse an object as `json.loads` returns it; see `from_json`."""
        try:
            return _build(cls, values)  # type: ignore[no-any-return]
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"{source} is invalid: {error}") from None


def to_jsonable(value: Any) -> Any:
    """A value of a config as JSON has it."""
    if dataclasses.is_dataclass(value):
        names = (field.name for field in dataclasses.fields(value))
        return {name: to_jsonable(getattr(value, name)) for name in names}
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, tuple):
        return [to_jsonable(item) for item in value]
    return value


def _build(kind: Any, value: Any) -> Any:
    """A value of type `kind` from a JSON value."""
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise TypeError(f"expected a JSON object, got {str(value)[:60]!r}")
        hints = get_type_hints(kind)
        fields = {name: _build(hints.get(name, object), item) for name, item in value.items()}
        return kind(**fields)  # type: ignore[operator]
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        return tuple(_build(item, part) for part in value)
    if NoneType in get_args(kind):  # X | None
        return None if value is None else _build(get_args(kind)[0], value)
    if kind is float and type(value) is int:
        return float(value)
    if kind is Path:
        return Path(value)
    if kind in (bool, int, float, str) and type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {value!r}")
    return value
