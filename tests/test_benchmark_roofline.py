from __future__ import annotations

from pathlib import Path

import pytest
from benchmarking import rows, run
from tiny import CHANNELS, CHARSET, HEIGHT, HIDDEN, STRIDE

from examples.benchmarks import layers


@pytest.mark.parametrize("which", ["tiny_model", "tiny_int8_model"])
def test_the_work_of_each_layer_follows_from_its_weights(
    which: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(which)
    found, limits = layers.measure([path], width=128, threads=1, rounds=2)
    _, measured = found[path]
    steps = 128 // STRIDE
    work = {kind: layer.operations for layer in measured for kind in layers.KINDS
            if kind in layer.kind}  # fmt: skip
    assert work == {
        "Conv": pytest.approx(2e-6 * steps * CHANNELS * HEIGHT * STRIDE),
        "LSTM": pytest.approx(2e-6 * steps * 2 * 4 * HIDDEN * (CHANNELS + HIDDEN)),
        "MatMul": pytest.approx(2e-6 * steps * 2 * HIDDEN * CHARSET.num_classes),
    }
    assert [layer.int8 for layer in measured if "LSTM" in layer.kind] == [
        which == "tiny_int8_model"
    ]
    assert all(limit > 0.1 for limit in limits.values())


def test_the_roofline_is_sorted_by_what_is_lost(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "roofline", "--models", tiny_model, "--rounds", 2, "--layers", 4)
    assert code == 0
    lost = [float(cells[-1].replace(",", "")) for cells in rows(out)]
    assert len(lost) == 4
    assert lost == sorted(lost, reverse=True)
