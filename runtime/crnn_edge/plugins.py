"""A name is a file: `--backend X` is `crnn_edge/backends/X.py`, a dotted name is a user's.

So a new backend or decoder is one new file, and nothing keeps a list of them.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from crnn_edge.errors import UnknownNameError


def load(package: str, name: str, attribute: str) -> Any:
    """The `attribute` of the module that a name stands for.

    Args:
        package: The folder of our own modules, such as `crnn_edge.backends`.
        name: `X` for `package/X.py`, or the dotted name of a module of the caller's own.
        attribute: What the module must define, such as `load`.

    Raises:
        UnknownNameError: If there is no such module, or it lacks the attribute. The message lists
            the names that exist.
    """
    target = name if "." in name else f"{package}.{name}"
    kind = package.rpartition(".")[2].removesuffix("s")
    reason = f"no {kind} {name!r}"
    try:
        if all(part.isidentifier() for part in target.split(".")):
            module = importlib.import_module(target)
            if hasattr(module, attribute):
                return getattr(module, attribute)
            reason += f": {target} defines no `{attribute}`"
    except ModuleNotFoundError as error:
        if error.name is None or not f"{target}.".startswith(f"{error.name}."):
            raise  # the module exists: one that *it* needs is missing
    folder = package.replace(".", "/")
    raise UnknownNameError(
        f"{reason}. There are: {', '.join(available(package, attribute))}. A name is a file in "
        f"{folder}/; a dotted name (`my.{kind}`) is a module of your own with a `{attribute}`"
    )


def available(package: str, attribute: str) -> list[str]:
    """The names in a package whose modules define `attribute`, sorted."""
    path = importlib.import_module(package).__path__
    return sorted(
        module.name
        for module in pkgutil.iter_modules(path)
        if hasattr(importlib.import_module(f"{package}.{module.name}"), attribute)
    )
