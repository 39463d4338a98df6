"""Settings that are command-line options as well: each is declared once, as a dataclass field."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from model.json_config import ConfigError

FINITE = sys.float_info.max


@dataclass(frozen=True)
class Bounds:
    """The values that a number may have.

    Attributes:
        least: The smallest.
        most: The largest.
        expected: The rule in words, for error messages.
    """

    least: float
    most: float
    expected: str

    def check(self, flag: str, value: float | None) -> None:
        """Refuse a number outside the bounds; None is not set, and accepted.

        Raises:
            ConfigError: If the value is out of range or not a number.
        """
        if value is not None and not self.least <= value <= self.most:  # false for NaN, too
            raise ConfigError(f"{flag} must be {self.expected}, got {value}")


POSITIVE = Bounds(1, FINITE, "at least 1")
WEIGHT = Bounds(0, FINITE, "a finite number of at least 0")
STRENGTH = Bounds(0, 2, "a strength from 0 to 2")
PROBABILITY = Bounds(0, 1, "a probability from 0 to 1")


@dataclass(frozen=True)
class Option:
    """How a setting is given on the command line.

    Attributes:
        help: One or more sentences; the default is appended.
        parse: Makes a value of the argument.
        metavar: What stands for the value in the help.
        choices: The values that are accepted; None for any.
        bounds: The range of a number.
        repeatable: Whether it may be given several times, which makes a tuple.
        flag: Whether it takes no value.
        changeable: Whether `--resume` may change it, because the result does not depend on it.
    """

    help: str
    parse: Callable[[str], Any] = str
    metavar: str | None = None
    choices: tuple[str, ...] | None = None
    bounds: Bounds | None = None
    repeatable: bool = False
    flag: bool = False
    changeable: bool = False


def option(default: Any, help: str, **more: Any) -> Any:
    """A dataclass field that is an option, too; the keywords are those of `Option`."""
    return field(default=default, metadata={"option": Option(help, **more)})


def options_of(config: Any) -> dict[str, Option]:
    """The options of a config's dataclass by field name, in order."""
    return {
        one.name: one.metadata["option"]
        for one in dataclasses.fields(config)
        if "option" in one.metadata
    }


def flag_name(field_name: str) -> str:
    """The command-line option of a field: `tta_threshold` is `--tta-threshold`."""
    return f"--{field_name.replace('_', '-')}"


def check_bounds(config: Any) -> None:
    """Check every number of a config.

    Raises:
        ConfigError: If one is out of range.
    """
    for name, declared in options_of(config).items():
        if declared.bounds:
            declared.bounds.check(flag_name(name), getattr(config, name))
