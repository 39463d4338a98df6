"""Parsing an FP32 TFLite graph of this toolkit back into layers, for quantization."""

from __future__ import annotations

from typing import Any

import numpy as np

from crnn_edge.layer_ir import LSTM, Conv, Layer, Linear, MaxPool, Pair, ReLU, output_shape
from crnn_edge.types import FloatArray
from quantize.formats.tflite.graph import LoweringError, schema

# Indices of an LSTM's inputs: where each direction starts, and where within it the gates' input
# weights, their state weights, and their biases start.
_DIRECTIONS = (1, 18)
_PARTS = (0, 4, 11)


def parse(flatbuffer: bytes) -> tuple[list[Layer], int]:
    """The layers and the input height of an FP32 graph that `to_flatbuffer` wrote.

    Raises:
        LoweringError: If it is not such a graph.
    """
    try:
        parser = _Parser(flatbuffer)
        _, height, width, _ = parser.shape
        output_shape(parser.layers, height, width)
    except Exception as error:  # flatbuffers has a dozen ways to fail on a foreign file
        raise LoweringError(f"not an FP32 graph of this toolkit: {error}") from None
    return parser.layers, height


class _Parser:
    def __init__(self, flatbuffer: bytes) -> None:
        self.s = schema()
        self.model = self.s.ModelT.InitFromPackedBuf(flatbuffer, 0)
        (self.graph,) = self.model.subgraphs
        self.shape = [int(size) for size in self.graph.tensors[self.graph.inputs[0]].shape]
        self.layers: list[Layer] = []
        names = {value: name for name, value in vars(self.s.BuiltinOperator).items()}
        padding = (0, 0)  # by the preceding operator
        for operator in self.graph.operators:
            name = names[self.model.operatorCodes[operator.opcodeIndex].builtinCode]
            if name == "PAD":
                amounts = self._constant(operator, 1, np.int32)
                padding = (int(amounts[1, 0]), int(amounts[2, 0]))
            else:
                self._layer(name, operator, padding)
                padding = (0, 0)

    def _layer(self, name: str, operator: Any, padding: Pair) -> None:
        options = operator.builtinOptions
        match name:
            case "CONV_2D":
                weight = np.ascontiguousarray(self._constant(operator, 1).transpose(0, 3, 1, 2))
                if options.padding == self.s.Padding.SAME:
                    padding = (weight.shape[2] // 2, weight.shape[3] // 2)
                stride = (options.strideH, options.strideW)
                self.layers.append(Conv(weight, self._constant(operator, 2), stride, padding))
                if options.fusedActivationFunction == self.s.ActivationFunctionType.RELU:
                    self.layers.append(ReLU())
            case "MAX_POOL_2D":
                window = (options.filterHeight, options.filterWidth)
                self.layers.append(MaxPool(window, (options.strideH, options.strideW)))
            case "BIDIRECTIONAL_SEQUENCE_LSTM":
                self.layers.append(LSTM(*(self._gates(operator, part) for part in _PARTS)))
            case "FULLY_CONNECTED":
                parts = (self._constant(operator, position) for position in (1, 2))
                self.layers.append(Linear(*parts))
            case "SQUEEZE":
                pass  # layers imply where an image becomes a sequence
            case _:
                raise ValueError(f"unexpected operator {name}")

    def _gates(self, operator: Any, part: int) -> FloatArray:
        """The constants of four gates, concatenated, for both directions."""
        directions = [
            np.concatenate([self._constant(operator, start + part + gate) for gate in range(4)])
            for start in _DIRECTIONS
        ]
        return np.stack(directions)

    def _constant(self, operator: Any, position: int, dtype: Any = np.float32) -> Any:
        tensor = self.graph.tensors[operator.inputs[position]]
        data = self.model.buffers[tensor.buffer].data
        return np.frombuffer(data.tobytes(), dtype).reshape(tensor.shape)
