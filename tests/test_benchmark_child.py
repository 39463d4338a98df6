from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from examples.benchmarks.child import Child, ChildError


def test_output_of_a_program_is_not_an_answer(program: Callable[[str, str], str]) -> None:
    name = program("mine.noisy", "print('hello')\ndef start(a): print(a); return {'twice': twice}\n"
                   "def twice(x): print('working'); return 2 * x\n")  # fmt: skip
    with Child(name, ["argument"]) as child:
        assert [child.ask("twice", x) for x in (1, "ab")] == [2, "abab"]


def test_an_error_in_a_program_is_reported_and_it_continues(
    program: Callable[[str, str], str],
) -> None:
    name = program("mine.wrong", "def start(): return {'divide': lambda a, b: a / b}\n")
    with Child(name) as child:
        with pytest.raises(ChildError, match="ZeroDivisionError"):
            child.ask("divide", 1, 0)
        assert child.ask("divide", 1, 2) == 0.5


@pytest.mark.parametrize(
    ("death", "message"),
    [
        ("os.abort()", "SIGABRT"),
        ("os._exit(3)", "code 3"),
        ("exec('import no_such_engine')", "no_such_engine"),
    ],
)
def test_a_dead_child_is_reported_on_the_next_call(
    death: str, message: str, program: Callable[[str, str], str]
) -> None:
    name = program("mine.dying", f"import os\ndef start(): {death}\n")
    with Child(name) as child:
        for _ in range(2):
            with pytest.raises(ChildError, match=message):
                child.ask("anything")


def test_a_child_that_hangs_is_given_up(program: Callable[[str, str], str]) -> None:
    name = program("mine.hanging", "import time\ndef start(): time.sleep(60)\n")
    with Child(name, timeout_s=0.1) as child, pytest.raises(ChildError, match="no answer"):
        child.ask("anything")


def test_interrupting_the_parent_leaves_children_alone(
    program: Callable[[str, str], str],
) -> None:
    name = program("mine.group", "import os\ndef start(): return {'group': os.getpgrp}\n")
    with Child(name) as child:
        assert child.ask("group") != os.getpgrp()
