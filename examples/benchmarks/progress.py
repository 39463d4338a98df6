"""A bar on standard error, where tqdm is installed: a board that only reads does without one."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Protocol, TypeVar, cast

_T_co = TypeVar("_T_co", covariant=True)
_T = TypeVar("_T")


class Steps(Sized, Iterable[_T_co], Protocol[_T_co]):
    """What a bar can tell the end of."""


def progress(steps: Steps[_T], told: str) -> Iterable[_T]:
    """The steps, shown as they are taken."""
    try:
        from tqdm import tqdm
    except ImportError:
        return steps
    return cast(Iterable[_T], tqdm(steps, desc=told, disable=None))
