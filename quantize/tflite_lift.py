"""A TFLite graph of our own back to layers, so that INT8 files are made from FP32 files alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from crnn_edge.layer_ir import (
    LSTM,
    Conv,
    FloatArray,
    Layer,
    Linear,
    MaxPool,
    Pair,
    ReLU,
    output_shape,
)
from quantize.tflite_graph import LoweringError, schema

# Of an LSTM's inputs: where each direction starts, and where in it the gates' weights for the
# input, their weights for the state, and their biases start.
_DIRECTIONS = (1, 18)
_PARTS = (0, 4, 11)


def lift(flatbuffer: bytes) -> tuple[list[Layer], int]:
    """The layers of an FP32 graph that `quantize.tflite_lower.lower` wrote, and its height.

    Raises:
        LoweringError: If it is no such graph.
    """
    try:
        lifting = _Lifting(flatbuffer)
        _, height, width, _ = lifting.shape
        output_shape(lifting.layers, height, width)
    except Exception as error:  # flatbuffers has a dozen ways to fail on a foreign file
        raise LoweringError(f"it is no FP32 graph of this toolkit: {error}") from None
    return lifting.layers, height


class _Lifting:
    def __init__(self, flatbuffer: bytes) -> None:
        self.s = schema()
        self.model = self.s.ModelT.InitFromPackedBuf(flatbuffer, 0)
        (self.graph,) = self.model.subgraphs
        self.shape = [int(size) for size in self.graph.tensors[self.graph.inputs[0]].shape]
        self.layers: list[Layer] = []
        names = {value: name for name, value in vars(self.s.BuiltinOperator).items()}
        padding = (0, 0)  # of the operator before
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
                pass  # layers know when a picture becomes a row
            case _:
                raise ValueError(f"operator {name}")

    def _gates(self, operator: Any, part: int) -> FloatArray:
        """Four gates' constants in one, for both directions."""
        directions = [
            np.concatenate([self._constant(operator, start + part + gate) for gate in range(4)])
            for start in _DIRECTIONS
        ]
        return np.stack(directions)

    def _constant(self, operator: Any, position: int, dtype: Any = np.float32) -> Any:
        tensor = self.graph.tensors[operator.inputs[position]]
        data = self.model.buffers[tensor.buffer].data
        return np.frombuffer(data.tobytes(), dtype).reshape(tensor.shape)
