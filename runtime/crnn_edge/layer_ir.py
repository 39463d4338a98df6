"""The layer IR: the five kinds of layers of a CRNN, and their NumPy kernels.

A network is a list of them. Feature maps are `(N, H, W, C) float32`, so that a convolution is one
matrix product; from the first LSTM or linear layer on, a sequence is `(N, T, C)`.
Weights are laid out as in torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from crnn_edge.types import FloatArray

Pair = tuple[int, int]

_MAX_WINDOW = 64  # a window's side or step; more is a damaged file


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


class _Layer:
    """What all kinds share: arrays are float32, pairs are small whole numbers, or no layer."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # every kind is a dataclass
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                _require(value.dtype == np.float32, f"{field.name} is {value.dtype}, not float32")
                _require(value.size > 0, f"{field.name} is empty")
            else:
                least = 0 if field.name == "padding" else 1
                _require(
                    type(value) is tuple
                    and len(value) == 2
                    and all(type(v) is int and least <= v <= _MAX_WINDOW for v in value),
                    f"{field.name} is {value!r}, not two numbers from {least} to {_MAX_WINDOW}",
                )


@dataclass(frozen=True)
class Conv(_Layer):
    """A convolution: `weight (O, I, KH, KW)`, `bias (O,)`; zero padding around the image."""

    weight: FloatArray
    bias: FloatArray
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    def __post_init__(self) -> None:
        """Check the weights against each other."""
        super().__post_init__()
        _require(self.weight.ndim == 4, f"a convolution's weight has shape {self.weight.shape}")
        _require(self.bias.shape == self.weight.shape[:1], f"its bias {self.bias.shape}")
        _require(max(self.padding) < max(self.kernel), f"its padding {self.padding}")

    @property
    def kernel(self) -> Pair:
        """Height and width of the window."""
        return self.weight.shape[2], self.weight.shape[3]

    @cached_property
    def _matrix(self) -> FloatArray:
        matrix = self.weight.transpose(2, 3, 1, 0).reshape(-1, len(self.bias))
        return np.ascontiguousarray(matrix)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """`(H, W, C)` after the layer, of `(H, W, C)` before it."""
        _require(len(shape) == 3 and shape[2] == self.weight.shape[1], f"takes no {shape}")
        return (*_windows(shape, self.kernel, self.stride, self.padding), len(self.bias))

    def __call__(self, x: FloatArray) -> FloatArray:
        """Feature maps, each pixel of which is a product of a window and the weights."""
        windows = _view(_pad(x, self.padding, 0), self.kernel, self.stride)
        n, height, width = windows.shape[:3]
        rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(n * height * width, -1)
        y: FloatArray = rows @ self._matrix
        y += self.bias
        return y.reshape(n, height, width, -1)


@dataclass(frozen=True)
class ReLU(_Layer):
    """Negative values become 0, in place."""

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """As it was."""
        return shape

    def __call__(self, x: FloatArray) -> FloatArray:
        """The same array, changed."""
        return np.maximum(x, 0, out=x)


@dataclass(frozen=True)
class MaxPool(_Layer):
    """The largest value of each window."""

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)

    def __post_init__(self) -> None:
        """Check that no window lies wholly in the padding."""
        super().__post_init__()
        _require(
            all(2 * p <= k for p, k in zip(self.padding, self.kernel, strict=True)),
            f"a pooling's padding {self.padding} is more than half its window {self.kernel}",
        )

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """`(H, W, C)` after the layer, of `(H, W, C)` before it."""
        _require(len(shape) == 3, f"a pooling takes no {shape}")
        return (*_windows(shape, self.kernel, self.stride, self.padding), shape[2])

    def __call__(self, x: FloatArray) -> FloatArray:
        """Downscaled feature maps."""
        x = _pad(x, self.padding, -np.inf)
        height, width = _windows(x.shape[1:], self.kernel, self.stride, (0, 0))
        y: FloatArray | None = None
        for row in range(self.kernel[0]):
            for column in range(self.kernel[1]):
                part = x[:, row :: self.stride[0], column :: self.stride[1]][:, :height, :width]
                y = part.copy() if y is None else np.maximum(y, part, out=y)
        assert y is not None
        return y


@dataclass(frozen=True)
class LSTM(_Layer):
    """An LSTM in D directions (1, or 2 with the second running backwards).

    `weight_ih (D, 4H, I)`, `weight_hh (D, 4H, H)`, `bias (D, 4H)`; gates in torch's order: input,
    forget, cell, output.
    """

    weight_ih: FloatArray
    weight_hh: FloatArray
    bias: FloatArray

    def __post_init__(self) -> None:
        """Check the weights against each other."""
        super().__post_init__()
        shapes = (self.weight_ih.shape, self.weight_hh.shape, self.bias.shape)
        directions, hidden = len(self.weight_hh), self.weight_hh.shape[-1]
        _require(
            self.weight_ih.ndim == 3
            and directions in (1, 2)
            and self.bias.shape == self.weight_ih.shape[:2] == (directions, 4 * hidden)
            and self.weight_hh.shape == (directions, 4 * hidden, hidden),
            f"an LSTM's weights have shapes {shapes}",
        )

    @cached_property
    def _prepared(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Matrices to multiply by, with gates in the order input, forget, output, cell.

        σ(x) = ½ tanh(x/2) + ½: with those three gates' weights halved, one tanh does all four.
        """
        hidden = self.bias.shape[1] // 4
        order = np.r_[: 2 * hidden, 3 * hidden : 4 * hidden, 2 * hidden : 3 * hidden]
        half = np.full(4 * hidden, 0.5, dtype=np.float32)
        half[3 * hidden :] = 1
        ih, hh = (
            np.ascontiguousarray((weight[:, order] * half[:, None]).transpose(0, 2, 1))
            for weight in (self.weight_ih, self.weight_hh)
        )
        return ih, hh, (self.bias[:, order] * half)[:, None]

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """`(T, C)` after the layer, of `(T, C)` or `(1, T, C)` before it."""
        steps, features = _row(shape)
        _require(features == self.weight_ih.shape[2], f"an LSTM takes no {shape}")
        return steps, self.bias.size // 4

    def __call__(self, x: FloatArray) -> FloatArray:
        """`(N, T, D · H)` of `(N, T, I)`; both directions take each step together."""
        ih, hh, bias = self._prepared
        n, steps, features = x.shape
        directions, hidden = hh.shape[:2]
        gates = x.transpose(1, 0, 2).reshape(steps * n, features) @ ih
        gates += bias
        gates = gates.reshape(directions, steps, n, 4 * hidden)
        gates[1:] = gates[1:, ::-1].copy()
        h = np.zeros((directions, n, hidden), dtype=np.float32)
        c = np.zeros_like(h)
        y = np.empty((directions, steps, n, hidden), dtype=np.float32)
        for step in range(steps):
            a = h @ hh
            a += gates[:, step]
            np.tanh(a, out=a)
            a[..., : 3 * hidden] *= 0.5
            a[..., : 3 * hidden] += 0.5
            c *= a[..., hidden : 2 * hidden]
            c += a[..., :hidden] * a[..., 3 * hidden :]
            h = np.tanh(c)
            h *= a[..., 2 * hidden : 3 * hidden]
            y[:, step] = h
        y[1:] = y[1:, ::-1].copy()
        return y.transpose(2, 1, 0, 3).reshape(n, steps, directions * hidden)


@dataclass(frozen=True)
class Linear(_Layer):
    """A linear layer on each column: `weight (O, I)`, `bias (O,)`."""

    weight: FloatArray
    bias: FloatArray

    def __post_init__(self) -> None:
        """Check the weights against each other."""
        super().__post_init__()
        _require(self.weight.ndim == 2, f"a linear layer's weight has shape {self.weight.shape}")
        _require(self.bias.shape == self.weight.shape[:1], f"its bias {self.bias.shape}")

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """`(T, C)` after the layer, of `(T, C)` or `(1, T, C)` before it."""
        steps, features = _row(shape)
        _require(features == self.weight.shape[1], f"a linear layer takes no {shape}")
        return steps, len(self.bias)

    def __call__(self, x: FloatArray) -> FloatArray:
        """`(N, T, O)` of `(N, T, I)`."""
        y: FloatArray = x.reshape(-1, x.shape[2]) @ self.weight.T
        y += self.bias
        return y.reshape(*x.shape[:2], -1)


Layer = Conv | ReLU | MaxPool | LSTM | Linear
KINDS: dict[str, type[Any]] = {
    "conv": Conv,
    "relu": ReLU,
    "maxpool": MaxPool,
    "lstm": LSTM,
    "linear": Linear,
}
"""What files call them."""


def split(layers: Sequence[Layer]) -> tuple[Sequence[Layer], Sequence[Layer]]:
    """The layers before map-to-sequence, and those after it."""
    rows = (i for i, layer in enumerate(layers) if isinstance(layer, LSTM | Linear))
    at = next(rows, len(layers))
    return layers[:at], layers[at:]


def to_sequence(x: FloatArray) -> FloatArray:
    """Map-to-sequence: feature maps of one row `(N, 1, T, C)` as a sequence `(N, T, C)`."""
    return x.reshape(len(x), x.shape[2], x.shape[3])


def output_shape(layers: Sequence[Layer], height: int, width: int) -> tuple[int, ...]:
    """Shape of the output for an image of one channel, without the batch.

    Raises:
        ValueError: If a layer cannot take what the one before it gives.
    """
    shape: tuple[int, ...] = (height, width, 1)
    for index, layer in enumerate(layers):
        try:
            shape = layer.shape(shape)
        except ValueError as error:
            raise ValueError(f"layer {index} ({type(layer).__name__}): {error}") from None
    return shape


def _row(shape: tuple[int, ...]) -> tuple[int, int]:
    _require(len(shape) == 2 or shape[0] == 1, f"{shape} is not one row high")
    return shape[-2], shape[-1]


def _windows(shape: Sequence[int], kernel: Pair, stride: Pair, padding: Pair) -> Pair:
    height, width = (
        (size + 2 * p - k) // s + 1
        for size, k, s, p in zip(shape[:2], kernel, stride, padding, strict=True)
    )
    _require(height > 0 and width > 0, f"a window of {kernel} does not fit in {tuple(shape)}")
    return height, width


def _pad(x: FloatArray, padding: Pair, value: float) -> FloatArray:
    if padding == (0, 0):
        return x
    height, width = ((p, p) for p in padding)
    return np.pad(x, ((0, 0), height, width, (0, 0)), constant_values=value)


def _view(x: FloatArray, kernel: Pair, stride: Pair) -> FloatArray:
    """All windows, `(N, H, W, C, KH, KW)`, without copying."""
    views: FloatArray = sliding_window_view(x, kernel, axis=(1, 2))
    return views[:, :: stride[0], :: stride[1]]
