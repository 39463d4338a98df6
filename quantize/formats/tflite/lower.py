"""Lowering of layers to a TFLite graph, with no converter in between.

Converters unroll the LSTM or fix the width. Written with the schema's own classes, a network of the
CRNN family is a dozen kinds of operator, of any width.

Given a `QuantizationPlan`, layers become INT8 in one of two ways:

* For CPUs: convolutions with int8 activations and weights per channel; LSTM and linear layers with
  int8 weights per tensor and activation ranges computed at run time. Input and output are float.
* Full-integer, for accelerators: input and output are int8, no operator computes in float, and the
  declared width is fixed (a runtime can resize it nevertheless).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from crnn_edge.layer_ir import LSTM, Conv, Layer, Linear, MaxPool, Pair, ReLU
from crnn_edge.types import FloatArray
from quantize.formats.tflite import full_integer
from quantize.formats.tflite.graph import Graph, LoweringError, Range, Shape
from quantize.rounding import round_weights

_GATES = 4
_STATES = 4  # a hidden and a cell state for each direction
_LSTM_INPUTS = 48  # of which projection, peepholes, auxiliary input and normalization stay unused


@dataclass(frozen=True)
class QuantizationPlan:
    """Which parts of a graph are INT8.

    Attributes:
        ranges: The value ranges of the image and of the output of each layer, in this order.
        layers: Which layers with weights become INT8, by their index; others stay float.
        full_integer: Whether these layers, input and output use no float at all.
    """

    ranges: Sequence[Range]
    layers: Collection[int]
    full_integer: bool = False


def to_flatbuffer(
    layers: Sequence[Layer], height: int, width: int, plan: QuantizationPlan | None = None
) -> bytes:
    """A network as a flatbuffer: `(1, H, W, 1)` to `(1, T, C)`.

    Args:
        layers: The network, ordered by `relu_first`.
        height: Rows of its input.
        width: Columns of its input as declared; callers may resize it.
        plan: What is INT8; None for FP32.

    Raises:
        LoweringError: If a layer cannot be expressed in TFLite's operators.
    """
    lowering = _Lowering(layers, height, width, plan or QuantizationPlan((), ()))
    for index in range(len(layers)):
        lowering.add(index)
    if lowering.plan.full_integer:
        lowering.convert(len(layers), to_int8=True)
    return lowering.graph.flatbuffer(lowering.image, lowering.last)


def relu_first(layers: Sequence[Layer]) -> list[Layer]:
    """The same network with every ReLU before the max-pooling that it followed.

    The two commute, and TFLite fuses a ReLU into the convolution before it.
    """
    ordered = list(layers)
    for index in range(len(ordered) - 1):
        if isinstance(ordered[index], MaxPool) and isinstance(ordered[index + 1], ReLU):
            ordered[index : index + 2] = ordered[index + 1], ordered[index]
    return ordered


class _Lowering:
    """The state of lowering: the tensor written last, its shape, and its range if it is int8."""

    def __init__(
        self, layers: Sequence[Layer], height: int, width: int, plan: QuantizationPlan
    ) -> None:
        self.graph = Graph(any_width=not plan.full_integer)
        self.layers = layers
        self.plan = plan
        self.shape: Shape = (height, width, 1)
        self.range = plan.ranges[0] if plan.full_integer else None
        self.image = self.last = self._activation("image", self.shape)

    def add(self, index: int) -> None:
        """Add the operators of one layer, unless it is fused into another."""
        layer = self.layers[index]
        after = layer.shape(self.shape)
        int8 = index in self.plan.layers
        match layer:
            case Conv():
                self.convert(index, to_int8=int8)
                self._conv(layer, after, index)
            case ReLU():
                if index == 0 or not isinstance(self.layers[index - 1], Conv):
                    raise LoweringError("a ReLU must follow a convolution, into which it is fused")
            case MaxPool():
                self._pool(layer, after)
            case LSTM():
                self._squeeze()
                self.convert(index, to_int8=int8 and self.plan.full_integer)
                self._lstm(layer, after, index)
            case Linear():
                self._squeeze()
                self.convert(index, to_int8=int8 and self.plan.full_integer)
                self._linear(layer, after, index)
        self.shape = after

    def convert(self, index: int, *, to_int8: bool) -> None:
        """Convert the input of a layer to int8, or to float, unless it is already."""
        if to_int8 and not self.range:
            self.range = self.plan.ranges[index]
            quantized = self._activation("quantized", self.shape)
            self.last = self.graph.operator("QUANTIZE", [self.last], quantized, 1)
        elif self.range and not to_int8:
            self.range = None
            floats = self._activation("floats", self.shape)
            self.last = self.graph.operator("DEQUANTIZE", [self.last], floats, 2)

    def _activation(self, name: str, shape: Shape) -> int:
        return self.graph.activation(name, shape, self.range)

    def _constants(self, weight: FloatArray, bias: FloatArray, axes: int, index: int) -> list[int]:
        """Weights and bias of a layer, with `axes` as in `round_weights`."""
        if self.range:
            return full_integer.weights(self.graph, weight, bias, axes, self.range)
        return [self._weights("weight", weight, index), self.graph.constant("bias", bias)]

    def _weights(self, name: str, values: FloatArray, index: int) -> int:
        """Weights of a layer with float inputs: if INT8, with one scale for the tensor."""
        if index not in self.plan.layers:
            return self.graph.constant(name, values)
        return self.graph.constant(name, *round_weights(values, 0))

    def _pad(self, padding: Pair) -> None:
        """Add zeros around the image."""
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
            self.range = self.plan.ranges[index + relu + 1]
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
            raise LoweringError("max-pooling with padding is not supported")
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
        """From an image of one row to a sequence of columns, unless it is one already."""
        if len(self.shape) == 2:
            return
        self.shape = self.shape[1:]
        squeezed = self._activation("columns", self.shape)
        self.last = self.graph.operator("SQUEEZE", [self.last], squeezed, 1, squeezeDims=[1])

    def _lstm(self, layer: LSTM, after: Shape, index: int) -> None:
        if len(layer.bias) != 2:
            raise LoweringError("a unidirectional LSTM is not supported")
        if self.range:
            inputs_range = self.range
            self.range = full_integer.symmetric(self.plan.ranges[index + 1])
            self.last = full_integer.lstm(
                self.graph, layer, self.last, self.shape, inputs_range, self.range
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
        int8 = index in self.plan.layers
        self.last = self.graph.operator(
            "BIDIRECTIONAL_SEQUENCE_LSTM",
            inputs,
            self._activation("lstm", after),
            3 if int8 else 1,
            fusedActivationFunction=self.graph.s.ActivationFunctionType.TANH,
            mergeOutputs=True,
            timeMajor=False,
            asymmetricQuantizeInputs=int8,
        )

    def _linear(self, layer: Linear, after: Shape, index: int) -> None:
        hybrid = index in self.plan.layers and not self.range
        # tflite-runtime 2.14 on CPUs with a dot-product instruction (Cortex-A76) reads beyond the
        # end of weights with an even number of rows, of some sizes. So a row of zeros is added, and
        # its output cut off.
        spare = hybrid and len(layer.bias) % 2 == 0
        weight, bias = (
            np.pad(x, [(0, spare), (0, 0)][: x.ndim]) for x in (layer.weight, layer.bias)
        )
        inputs = [self.last, *self._constants(weight, bias, 0, index)]
        if self.range:
            self.range = self.plan.ranges[index + 1]
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
        """Drop the last value of each time step."""
        corners = ([0, 0, 0], [0, 0, -1], [1, 1, 1])  # first, end and step of each axis
        inputs = [
            self.last,
            *(self.graph.constant("corner", np.array(c, dtype=np.int32)) for c in corners),
        ]
        kept = self._activation("kept", after)
        self.last = self.graph.operator(
            "STRIDED_SLICE", inputs, kept, 1, beginMask=0b111, endMask=0b011
        )
