"""Layers to a TFLite graph, with no converter in between.

Converters unroll the LSTM or fix the width. Written straight from the schema, a network of the
CRNN family is a dozen kinds of operator: `BIDIRECTIONAL_SEQUENCE_LSTM` in one piece, any width.

Given ranges, a network becomes INT8: convolutions with int8 activations and weights per channel,
except for the first, which sees the picture itself and stays in float; LSTM and linear layers with
int8 weights per tensor whose inputs are ranged at run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from quantize.numpy import round_weights
from runtime.errors import CrnnError, EngineError
from runtime.layers import LSTM, Conv, FloatArray, Layer, Linear, MaxPool, Pair, ReLU

Range = tuple[float, float]
Shape = tuple[int, ...]

_IDENTIFIER = b"TFL3"
_GATES = 4
_STATES = 4  # a hidden and a cell state for each direction
_LSTM_INPUTS = 48  # of which projection, peepholes, auxiliary input and normalisation stay unused


class LoweringError(CrnnError, TypeError):
    """A network that this graph has no words for."""


def schema() -> Any:
    """The module of TFLite's flatbuffer classes.

    Raises:
        EngineError: If it is not installed; the message names the extra.
    """
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise EngineError(
            f"writing TFLite files needs ai-edge-litert ({error}): `pip install ai-edge-litert` "
            "(the `tflite` extra)"
        ) from None
    return schema_py_generated


def lower(
    layers: Sequence[Layer], height: int, width: int, ranges: Sequence[Range] | None = None
) -> bytes:
    """A network as a flatbuffer: `(1, H, W, 1) float32` to `(1, T, C) float32`, W free.

    Args:
        layers: The network, as `relu_first` orders it.
        height: Rows of its input.
        width: Columns of its input, as declared; a caller may resize it.
        ranges: What the picture and the output of each layer range over, for INT8; None for FP32.

    Raises:
        LoweringError: If a layer cannot be said in TFLite's operators.
    """
    return _Lowering(layers, height, width, ranges).flatbuffer()


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
    """A graph in the making: tensors, operators, and the tensor that was written last."""

    def __init__(
        self, layers: Sequence[Layer], height: int, width: int, ranges: Sequence[Range] | None
    ) -> None:
        self.s = schema()
        self.small = ranges is not None
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [self.s.BufferT()]
        self.operators: list[Any] = []
        self.codes: dict[tuple[int, int], int] = {}
        self.shape: Shape = (height, width, 1)
        self.picture = self.last = self._tensor("image", (1, *self.shape))
        self.range: Range | None = None
        for index, layer in enumerate(layers):
            after = layer.shape(self.shape)
            match layer:
                case Conv():
                    if ranges is not None and self.range is None and index > 0:
                        self._quantise(ranges[index])
                    relu = index + 1 < len(layers) and isinstance(layers[index + 1], ReLU)
                    behind = ranges[index + 1 + relu] if self.range else None
                    self._conv(layer, after, relu, behind)
                case ReLU():
                    if index == 0 or not isinstance(layers[index - 1], Conv):
                        raise LoweringError("a ReLU is only known behind a convolution")
                case MaxPool():
                    self._pool(layer, after)
                case LSTM():
                    self._columns()
                    self._lstm(layer, after)
                case Linear():
                    self._columns()
                    self._linear(layer, after)
            self.shape = after

    def flatbuffer(self) -> bytes:
        import flatbuffers

        s = self.s
        graph = _make(
            s.SubGraphT, tensors=self.tensors, inputs=[self.picture], outputs=[self.last],
            operators=self.operators, name="main",
        )  # fmt: skip
        codes = [
            _make(s.OperatorCodeT, builtinCode=code, version=version,
                  deprecatedBuiltinCode=min(code, 127))  # what readers before 2.3 look at
            for code, version in self.codes
        ]  # fmt: skip
        model = _make(
            s.ModelT, version=3, operatorCodes=codes, subgraphs=[graph], buffers=self.buffers
        )
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())

    # Tensors

    def _tensor(
        self,
        name: str,
        shape: Shape,
        kind: str = "FLOAT32",
        *,
        scale: Any = None,
        zero: int = 0,
        **more: Any,
    ) -> int:
        """A tensor that operators write; its second-last axis (width, or time) is free."""
        signature = [*shape[:-2], -1, shape[-1]] if len(shape) > 2 else None
        quantisation = self.s.QuantizationParametersT()
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, dtype=np.float32))
            quantisation = _make(
                self.s.QuantizationParametersT, scale=scales.tolist(),
                zeroPoint=[zero] * len(scales), quantizedDimension=0,
            )  # fmt: skip
        fields = {
            "name": f"{name}_{len(self.tensors)}" if self.tensors else name,
            "shape": list(shape),
            "shapeSignature": signature,
            "type": getattr(self.s.TensorType, kind),
            "quantization": quantisation,
            "hasRank": True,
        }
        self.tensors.append(_make(self.s.TensorT, **{**fields, **more}))
        return len(self.tensors) - 1

    def _constant(self, name: str, values: npt.NDArray[Any], scale: Any = None) -> int:
        data = np.frombuffer(np.ascontiguousarray(values).tobytes(), dtype=np.uint8)
        self.buffers.append(_make(self.s.BufferT, data=data))
        kind = values.dtype.name.upper()
        return self._tensor(
            name, values.shape, kind, scale=scale, buffer=len(self.buffers) - 1, shapeSignature=None
        )

    def _weights(self, name: str, values: FloatArray) -> int:
        """Weights of a layer that runs in float: with int8, in one scale for the tensor."""
        if not self.small:
            return self._constant(name, values)
        return self._constant(name, *round_weights(values, 0))

    def _activation(self, name: str, shape: Shape) -> int:
        """What an operator gives: int8 if there is a range, else float."""
        if self.range is None:
            return self._tensor(name, (1, *shape))
        scale, zero = _levels(self.range)
        return self._tensor(name, (1, *shape), "INT8", scale=scale, zero=zero)

    # Operators

    def _operator(
        self, name: str, inputs: Sequence[int], output: int, version: int, **options: Any
    ) -> None:
        s = self.s
        kind = {"CONV_2D": "Conv2D", "MAX_POOL_2D": "Pool2D"}.get(
            name, name.title().replace("_", "").replace("Lstm", "LSTM")
        )
        code = self.codes.setdefault((getattr(s.BuiltinOperator, name), version), len(self.codes))
        self.operators.append(
            _make(
                s.OperatorT,
                opcodeIndex=code,
                inputs=list(inputs),
                outputs=[output],
                builtinOptionsType=getattr(s.BuiltinOptions, f"{kind}Options"),
                builtinOptions=_make(getattr(s, f"{kind}OptionsT"), **options),
            )
        )
        self.last = output

    def _quantise(self, over: Range) -> None:
        before, self.range = self.last, over
        self._operator("QUANTIZE", [before], self._activation("levels", self.shape), 1)

    def _pad(self, padding: Pair) -> None:
        """Zeros around the picture."""
        if padding == (0, 0):
            return
        height, width, channels = self.shape
        self.shape = (height + 2 * padding[0], width + 2 * padding[1], channels)
        amounts = np.array([(0, 0), *((p, p) for p in padding), (0, 0)], dtype=np.int32)
        inputs = [self.last, self._constant("amounts", amounts)]
        self._operator(
            "PAD", inputs, self._activation("padded", self.shape), 2 if self.range else 1
        )

    def _conv(self, layer: Conv, after: Shape, relu: bool, behind: Range | None) -> None:
        same = layer.stride == (1, 1) and all(
            2 * p + 1 == k for p, k in zip(layer.padding, layer.kernel, strict=True)
        )
        if not same:
            self._pad(layer.padding)
        weight, bias = layer.weight.transpose(0, 2, 3, 1), layer.bias
        if self.range is None or behind is None:
            constants = [self._constant("weight", weight), self._constant("bias", bias)]
        else:
            values, scale = round_weights(weight, 1)
            unit = scale * _levels(self.range)[0]
            limit = 2**31 - 128
            rounded = np.clip(np.rint(bias / unit), -limit, limit).astype(np.int32)
            constants = [
                self._constant("weight", values, scale),
                self._constant("bias", rounded, unit),
            ]
        inputs = [self.last, *constants]
        self.range = behind
        padding, activation = self.s.Padding, self.s.ActivationFunctionType
        self._operator(
            "CONV_2D",
            inputs,
            self._activation("conv", after),
            3 if behind else 1,
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
        self._operator(
            "MAX_POOL_2D",
            [self.last],
            self._activation("pool", after),
            2 if self.range else 1,
            padding=self.s.Padding.VALID,
            strideH=layer.stride[0],
            strideW=layer.stride[1],
            filterHeight=layer.kernel[0],
            filterWidth=layer.kernel[1],
        )

    def _columns(self) -> None:
        """From a picture of one row to a row of columns in float; once."""
        if len(self.shape) == 2:
            return
        self.shape = self.shape[1:]
        squeezed = self._activation("columns", self.shape)
        self._operator("SQUEEZE", [self.last], squeezed, 1, squeezeDims=[1])
        if self.range is not None:
            self.range = None
            floats = self._activation("floats", self.shape)
            self._operator("DEQUANTIZE", [squeezed], floats, 2)

    def _lstm(self, layer: LSTM, after: Shape) -> None:
        if len(layer.bias) != 2:
            raise LoweringError("an LSTM in one direction is not known")
        hidden = after[1] // 2
        inputs = [self.last]
        for ih, hh, bias in zip(layer.weight_ih, layer.weight_hh, layer.bias, strict=True):
            # Torch's gates i, f, g, o are the operator's i, f, c, o.
            inputs += [self._weights("ih", gate) for gate in np.split(ih, _GATES)]
            inputs += [self._weights("hh", gate) for gate in np.split(hh, _GATES)]
            inputs += [-1, -1, -1]
            inputs += [self._constant("bias", gate) for gate in np.split(bias, _GATES)]
            inputs += [-1, -1]
        inputs += [self._tensor("state", (1, hidden), isVariable=True) for _ in range(_STATES)]
        inputs += [-1] * (_LSTM_INPUTS - len(inputs))
        self._operator(
            "BIDIRECTIONAL_SEQUENCE_LSTM",
            inputs,
            self._activation("lstm", after),
            3 if self.small else 1,
            fusedActivationFunction=self.s.ActivationFunctionType.TANH,
            mergeOutputs=True,
            timeMajor=False,
            asymmetricQuantizeInputs=self.small,
        )

    def _linear(self, layer: Linear, after: Shape) -> None:
        constants = [self._weights("weight", layer.weight), self._constant("bias", layer.bias)]
        self._operator(
            "FULLY_CONNECTED",
            [self.last, *constants],
            self._activation("linear", after),
            9 if self.small else 5,
            keepNumDims=True,
            asymmetricQuantizeInputs=self.small,
        )


def _levels(over: Range) -> tuple[np.float32, int]:
    """Scale and zero point of int8 levels over a range that holds 0."""
    low, high = min(over[0], 0.0), max(over[1], 1e-6)
    scale = np.float32((high - low) / 255)
    return scale, int(np.clip(np.rint(-128 - low / scale), -128, 127))


def _make(kind: Any, **fields: Any) -> Any:
    thing = kind()
    for name, value in fields.items():
        setattr(thing, name, value)
    return thing
