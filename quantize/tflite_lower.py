"""Layers to a TFLite graph, with no converter in between.

Converters unroll the LSTM or fix the width. Written straight from the schema, a network of the
CRNN family is a dozen kinds of operator, of any width.

Given ranges, layers become INT8 in one of two ways:

* For processors: convolutions with int8 activations and weights per channel; LSTM and linear layers
  with int8 weights per tensor whose inputs are ranged at run time. Floats go in and come out.
* For accelerators, `integer`: int8 goes in, int8 comes out, no operator knows of floats, and the
  declared width is fixed. (A runtime resizes it nevertheless.)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from crnn_edge.layer_ir import LSTM, Conv, FloatArray, Layer, Linear, MaxPool, Pair, ReLU
from quantize import tflite_integer
from quantize.numpy import round_weights
from quantize.tflite_graph import Graph, LoweringError, Range, Shape

_GATES = 4
_STATES = 4  # a hidden and a cell state for each direction
_LSTM_INPUTS = 48  # of which projection, peepholes, auxiliary input and normalization stay unused


@dataclass(frozen=True)
class Int8:
    """What is INT8 in a graph.

    Attributes:
        ranges: What the picture and then the output of each layer range over.
        layers: Which layers with weights become INT8, by their index; others stay float.
        integer: Whether these layers, input and output have no floats at all, and a fixed width.
    """

    ranges: Sequence[Range]
    layers: Collection[int]
    integer: bool = False


def lower(layers: Sequence[Layer], height: int, width: int, int8: Int8 | None = None) -> bytes:
    """A network as a flatbuffer: `(1, H, W, 1)` to `(1, T, C)`.

    Args:
        layers: The network, as `relu_first` orders it.
        height: Rows of its input.
        width: Columns of its input as declared; callers may resize it.
        int8: What is INT8; None for FP32.

    Raises:
        LoweringError: If a layer cannot be said in TFLite's operators.
    """
    lowering = _Lowering(layers, height, width, int8 or Int8((), ()))
    for index in range(len(layers)):
        lowering.add(index)
    if lowering.int8.integer:
        lowering.enter(len(layers), whole=True)
    return lowering.graph.flatbuffer(lowering.picture, lowering.last)


def relu_first(layers: Sequence[Layer]) -> list[Layer]:
    """The same network with every ReLU before the max-pooling that it stood behind.

    The two commute, and a convolution of this format does the ReLU along with its own work.
    """
    ordered = list(layers)
    for index in range(len(ordered) - 1):
        if isinstance(ordered[index], MaxPool) and isinstance(ordered[index + 1], ReLU):
            ordered[index : index + 2] = ordered[index + 1], ordered[index]
    return ordered


class _Lowering:
    """Where lowering has come to: the tensor written last, its shape, and its range if int8."""

    def __init__(self, layers: Sequence[Layer], height: int, width: int, int8: Int8) -> None:
        self.graph = Graph(any_width=not int8.integer)
        self.layers = layers
        self.int8 = int8
        self.shape: Shape = (height, width, 1)
        self.range = int8.ranges[0] if int8.integer else None
        self.picture = self.last = self._activation("image", self.shape)

    def add(self, index: int) -> None:
        """The operators of one layer, if it is not done along with another."""
        layer = self.layers[index]
        after = layer.shape(self.shape)
        small = index in self.int8.layers
        match layer:
            case Conv():
                self.enter(index, whole=small)
                self._conv(layer, after, index)
            case ReLU():
                if index == 0 or not isinstance(self.layers[index - 1], Conv):
                    raise LoweringError("a ReLU is only known behind a convolution")
            case MaxPool():
                self._pool(layer, after)
            case LSTM():
                self._squeeze()
                self.enter(index, whole=small and self.int8.integer)
                self._lstm(layer, after, index)
            case Linear():
                self._squeeze()
                self.enter(index, whole=small and self.int8.integer)
                self._linear(layer, after, index)
        self.shape = after

    def enter(self, index: int, *, whole: bool) -> None:
        """Turn what the layer takes into int8, or into floats, unless it is."""
        if whole and not self.range:
            self.range = self.int8.ranges[index]
            levels = self._activation("levels", self.shape)
            self.last = self.graph.operator("QUANTIZE", [self.last], levels, 1)
        elif self.range and not whole:
            self.range = None
            floats = self._activation("floats", self.shape)
            self.last = self.graph.operator("DEQUANTIZE", [self.last], floats, 2)

    def _activation(self, name: str, shape: Shape) -> int:
        return self.graph.activation(name, shape, self.range)

    def _constants(self, weight: FloatArray, bias: FloatArray, axes: int, index: int) -> list[int]:
        """Weights and bias of a layer; `axes` as in `round_weights`."""
        if self.range:
            return tflite_integer.weights(self.graph, weight, bias, axes, self.range)
        return [self._weights("weight", weight, index), self.graph.constant("bias", bias)]

    def _weights(self, name: str, values: FloatArray, index: int) -> int:
        """Weights of a layer that takes floats: if INT8, in one scale for the tensor."""
        if index not in self.int8.layers:
            return self.graph.constant(name, values)
        return self.graph.constant(name, *round_weights(values, 0))

    def _pad(self, padding: Pair) -> None:
        """Zeros around the picture."""
        if padding == (0, 0):
            return
        height, width, channels = self.shape
        self.shape = (height + 2 * padding[0], width + 2 * padding[1], channels)
        amounts = np.array([(0, 0), *((p, p) for p in padding), (0, 0)], dtype=np.int32)
        inputs = [self.last, self.graph.constant("amounts", amounts)]
        padded = self._activation("padded", self.shape)
        self.last = self.graph.operator("PAD", inputs, padded, 2 if self.range else 1)

    def _conv(self, layer: Conv, after: Shape, index: int) -> None:
        same = layer.stride == (1, 1) and all(
            2 * p + 1 == k for p, k in zip(layer.padding, layer.kernel, strict=True)
        )
        if not same:
            self._pad(layer.padding)
        weight = layer.weight.transpose(0, 2, 3, 1)
        inputs = [self.last, *self._constants(weight, layer.bias, 1, index)]
        relu = index + 1 < len(self.layers) and isinstance(self.layers[index + 1], ReLU)
        if self.range:
            self.range = self.int8.ranges[index + relu + 1]
        padding, activation = self.graph.s.Padding, self.graph.s.ActivationFunctionType
        self.last = self.graph.operator(
            "CONV_2D",
            inputs,
            self._activation("conv", after),
            3 if self.range else 1,
            padding=padding.SAME if same else padding.VALID,
            strideH=layer.stride[0],
            strideW=layer.stride[1],
            dilationHFactor=1,
            dilationWFactor=1,
            fusedActivationFunction=activation.RELU if relu else activation.NONE,
        )

    def _pool(self, layer: MaxPool, after: Shape) -> None:
        if layer.padding != (0, 0):
            raise LoweringError("a padded max-pooling is not known")
        self.last = self.graph.operator(
            "MAX_POOL_2D",
            [self.last],
            self._activation("pool", after),
            2 if self.range else 1,
            padding=self.graph.s.Padding.VALID,
            strideH=layer.stride[0],
            strideW=layer.stride[1],
            filterHeight=layer.kernel[0],
            filterWidth=layer.kernel[1],
        )

    def _squeeze(self) -> None:
        """From a picture of one row to a row of columns; once."""
        if len(self.shape) == 2:
            return
        self.shape = self.shape[1:]
        squeezed = self._activation("columns", self.shape)
        self.last = self.graph.operator("SQUEEZE", [self.last], squeezed, 1, squeezeDims=[1])

    def _lstm(self, layer: LSTM, after: Shape, index: int) -> None:
        if len(layer.bias) != 2:
            raise LoweringError("an LSTM in one direction is not known")
        if self.range:
            over, self.range = self.range, tflite_integer.balanced(self.int8.ranges[index + 1])
            self.last = tflite_integer.lstm(
                self.graph, layer, self.last, self.shape, over, self.range
            )
            return
        inputs = [self.last]
        for ih, hh, bias in zip(layer.weight_ih, layer.weight_hh, layer.bias, strict=True):
            # Torch's gates i, f, g, o are the operator's i, f, c, o.
            inputs += [self._weights("ih", gate, index) for gate in np.split(ih, _GATES)]
            inputs += [self._weights("hh", gate, index) for gate in np.split(hh, _GATES)]
            inputs += [-1, -1, -1]
            inputs += [self.graph.constant("bias", gate) for gate in np.split(bias, _GATES)]
            inputs += [-1, -1]
        state = (1, after[1] // 2)
        inputs += [self.graph.tensor("state", state, isVariable=True) for _ in range(_STATES)]
        inputs += [-1] * (_LSTM_INPUTS - len(inputs))
        small = index in self.int8.layers
        self.last = self.graph.operator(
            "BIDIRECTIONAL_SEQUENCE_LSTM",
            inputs,
            self._activation("lstm", after),
            3 if small else 1,
            fusedActivationFunction=self.graph.s.ActivationFunctionType.TANH,
            mergeOutputs=True,
            timeMajor=False,
            asymmetricQuantizeInputs=small,
        )

    def _linear(self, layer: Linear, after: Shape, index: int) -> None:
        hybrid = index in self.int8.layers and not self.range
        # tflite-runtime 2.14 on a processor that multiplies bytes (Cortex-A76) runs off the end of
        # weights with an even number of rows, of some sizes: one more, of zeros, is cut off again.
        spare = hybrid and len(layer.bias) % 2 == 0
        weight, bias = (
            np.pad(x, [(0, spare), (0, 0)][: x.ndim]) for x in (layer.weight, layer.bias)
        )
        inputs = [self.last, *self._constants(weight, bias, 0, index)]
        if self.range:
            self.range = self.int8.ranges[index + 1]
        self.last = self.graph.operator(
            "FULLY_CONNECTED",
            inputs,
            self._activation("linear", (after[0], len(bias))),
            9 if hybrid else 5,
            keepNumDims=True,
            asymmetricQuantizeInputs=hybrid,
        )
        if spare:
            self._cut(after)

    def _cut(self, after: Shape) -> None:
        """Leave the last number of each time step away."""
        corners = ([0, 0, 0], [0, 0, -1], [1, 1, 1])  # first, end and step of each axis
        inputs = [
            self.last,
            *(self.graph.constant("corner", np.array(c, dtype=np.int32)) for c in corners),
        ]
        kept = self._activation("kept", after)
        self.last = self.graph.operator(
            "STRIDED_SLICE", inputs, kept, 1, beginMask=0b111, endMask=0b011
        )
