"""What tests of the runtime's commands share."""

from __future__ import annotations

import pytest

from crnn_edge.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """The exit code of a command, and what it wrote to standard output and error."""
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()
