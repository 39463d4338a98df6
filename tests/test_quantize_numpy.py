"""INT8 storage in `.npz` files: which weights share a scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crnn_edge.backends.numpy import read_arrays
from crnn_edge.layer_ir import LSTM, Conv, Linear, ReLU
from quantize.calibration import LabelledCrops
from quantize.formats.numpy import to_arrays, write
from quantize.numpy import quantize
from tests.test_numpy_backend import numbers
from tests.tiny import tiny_manifest


def test_every_output_of_every_layer_has_a_scale_of_its_own(
    tmp_path: Path, crops_folder: Path
) -> None:
    weights = {
        "0.weight": numbers(6, 1, 32, 4),
        "2.weight_ih": numbers(2, 20, 6),
        "2.weight_hh": numbers(2, 20, 5),
        "3.weight": numbers(11, 10),
    }
    for name, weight in weights.items():
        outputs = weight.shape[:2] if weight.ndim == 3 else weight.shape[:1]
        sizes = 10.0 ** np.random.default_rng(0).uniform(-4, 1, outputs)
        weights[name] = (weight.T * sizes.T).T.astype(np.float32)
    conv, ih, hh, linear = weights.values()
    layers = [
        Conv(conv, numbers(6), (32, 4)),
        ReLU(),
        LSTM(ih, hh, numbers(2, 20)),
        Linear(linear, numbers(11)),
    ]
    write(to_arrays(layers), tiny_manifest(), tmp_path / "fp32.npz")
    quantize(
        tmp_path / "fp32.npz", tmp_path / "int8.npz", LabelledCrops.load(crops_folder), ["conv1"]
    )
    arrays = read_arrays(tmp_path / "int8.npz")
    np.testing.assert_array_equal(arrays.pop("0.weight"), conv)
    assert "0.weight.scale" not in arrays
    for name, weight in list(weights.items())[1:]:
        levels, scale = arrays[name], arrays[f"{name}.scale"]
        assert levels.dtype == np.int8
        assert scale.shape == weight.shape[:-1]
        assert (np.abs(levels.astype(int)).max(axis=-1) == 127).all()
        np.testing.assert_allclose(np.abs(weight).max(axis=-1), 127 * scale, rtol=1e-6)
        assert (np.abs(levels * scale[..., None] - weight) <= 0.501 * scale[..., None]).all()
