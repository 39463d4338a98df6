"""A progress bar on standard error, if tqdm is installed: a board that only reads lacks it."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Protocol, TypeVar, cast

_T_co = TypeVar("_T_co", covariant=True)
_T = TypeVar("_T")


class Steps(Sized, Iterable[_T_co], Protocol[_T_co]):
    """Steps whose number is known."""


def progress(steps: Steps[_T], label: str) -> Iterable[_T]:
    """The steps, with a progress bar."""
    try:
        from tqdm import tqdm
    except ImportError:
        return steps
    return cast(Iterable[_T], tqdm(steps, desc=label, disable=None))
