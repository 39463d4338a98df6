from __future__ import annotations

import pytest

from crnn_edge import plugins
from examples import benchmark


def test_every_file_with_a_run_is_a_benchmark_that_explains_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = plugins.available(benchmark.PACKAGE, "run")
    assert {"backends", "baselines", "decoders", "sets", "tables"} <= set(found)
    for arguments in ([], *([name] for name in found)):
        with pytest.raises(SystemExit) as end:
            benchmark.main([*arguments, "--help"])
        assert end.value.code == 0
        text = capsys.readouterr().out
        assert "xamples:" in text
        assert not arguments or "python -m examples.benchmark" in text


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["backends", "--threads", "x"]])
def test_misuse_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        benchmark.main(arguments)
    assert end.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["backends", "--threads", "0"],
        ["backends", "--minutes", "0"],
        ["baselines", "--minutes", "nan"],
        ["sets", "--max", "0"],
        ["baselines", "--json", "no/such/folder/a.json"],
        ["backends", "--json", "tests"],
        ["backends", "--png", "."],
    ],
)
def test_invalid_outputs_are_refused_before_measuring(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        benchmark.main(arguments)
    assert end.value.code == 2
    assert f"argument {arguments[1]}: " in capsys.readouterr().err
