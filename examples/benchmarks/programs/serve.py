"""The child's side of `examples.benchmarks.child`: one JSON value a line.

`python -m examples.benchmarks.programs.serve MODULE ARGUMENT…` calls `start(ARGUMENT…)` of the
module and answers each `["name", argument, …]` on standard input by the function of that name:
`{"answer": value}`, or `{"error": "…"}` if it raised.
"""

from __future__ import annotations

import importlib
import json
import os
import sys


def main(module: str, arguments: list[str]) -> None:
    """Start a program and answer until standard input closes."""
    # What libraries print, some already when imported, must not be mistaken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    functions = importlib.import_module(module).start(*arguments)
    for line in sys.stdin:
        name, *given = json.loads(line)
        try:
            reply = {"answer": functions[name](*given)}
        except Exception as error:  # the parent decides what a failure means
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
