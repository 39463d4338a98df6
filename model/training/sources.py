"""`--data` and `--style`: sources of images with their weights in the mixture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model.json_config import ConfigError
from model.training.options import FINITE

_UNLABELLED = ",unlabelled="


@dataclass(frozen=True)
class DataSource:
    """One `--data DIR[=WEIGHT][,unlabelled=CHARS]`.

    Attributes:
        path: A folder with `labels.tsv` or `labels.csv`, or an LMDB.
        weight: Its share of the mixture, relative to the other sources.
        unlabelled: Characters that its images show and its labels leave out, such as the dashes of
            license plates. They are neither rewarded nor penalized in training.
    """

    path: Path
    weight: float = 1.0
    unlabelled: str = ""

    @classmethod
    def parse(cls, item: str) -> DataSource:
        """A source as it is written on the command line.

        A folder's name may contain `=` or `,unlabelled=`: if a folder of the full name exists, it
        is meant.

        Raises:
            ConfigError: If the weight is not a number of at least 0.
        """
        if Path(item).exists():
            return cls(Path(item))
        given, _, unlabelled = item.partition(_UNLABELLED)
        path, weight = parse_weighted(given)
        return cls(path, weight, unlabelled)


@dataclass(frozen=True)
class StyleSource:
    """One `--style NAME[=WEIGHT]`.

    Attributes:
        name: A module of `model.data.render.styles`, or a dotted name.
        weight: Its share of the mixture, relative to the other sources.
    """

    name: str
    weight: float = 1.0

    @classmethod
    def parse(cls, item: str) -> StyleSource:
        """A style as it is written on the command line.

        Raises:
            ConfigError: If the weight is not a number of at least 0.
        """
        name, equals, weight = item.partition("=")
        return cls(name, _weight(weight or "1", item, "") if equals else 1.0)


def parse_weighted(item: str) -> tuple[Path, float]:
    """The path and the weight, 1 if not given, of a `PATH[=WEIGHT]`.

    Raises:
        ConfigError: If the weight is not a number of at least 0.
    """
    path, equals, weight = item.rpartition("=")
    if not equals or Path(item).exists():
        return Path(item), 1.0
    return Path(path), _weight(weight or "1", item, " (no folder of that full name exists)")


def _weight(text: str, item: str, remark: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= FINITE:
        raise ConfigError(f"invalid weight {text!r} in {item!r}: expected a number ≥ 0{remark}")
    return number
