"""Lowering of layers without any float operator, for full-integer files.

The integer LSTM has int8 inputs and outputs; its cells and gates are int16. Its kernel computes one
direction, so a bidirectional LSTM is two of them, the second between two reversals.

Tried with a shipped network: both TFLite runtimes and the one for microcontrollers run it; Arm's
compiler Vela 5.2 maps all of it to an Ethos-U85, and all but the reversals to an Ethos-U55 or U65.
"""

from __future__ import annotations

import numpy as np

from crnn_edge.layer_ir import LSTM
from crnn_edge.types import FloatArray
from quantize.formats.tflite.graph import Graph, Range, Shape, scale_and_zero
from quantize.rounding import round_weights

_GATES = 4
_CELL = 2.0**-11  # scale of an int16 cell, which saturates at ±16, where tanh is ±1
_GATE = 2.0**-12  # scale of a gate before its sigmoid or tanh, as the kernel requires
_BIAS_LIMIT = 2**31 - 128  # the largest int32 that float32 holds


def weights(
    graph: Graph, weight: FloatArray, bias: FloatArray, axes: int, inputs: Range
) -> list[int]:
    """Add the constants of a layer with int8 inputs.

    Args:
        graph: The graph to add them to.
        weight: The layer's weights, outputs first.
        bias: The layer's bias.
        axes: 1 for a scale for each output, 0 for a single scale.
        inputs: The range of the layer's input.

    Returns:
        The weights, int8, and the bias, int32 in units of input times weight.
    """
    values, scale = round_weights(weight, axes)
    unit = scale * scale_and_zero(inputs)[0]
    rounded = np.clip(np.rint(bias / unit), -_BIAS_LIMIT, _BIAS_LIMIT).astype(np.int32)
    return [graph.constant("weight", values, scale), graph.constant("bias", rounded, unit)]


def symmetric(values: Range) -> Range:
    """The least range around another one whose zero point is 0: an LSTM's state starts at 0."""
    limit = max(-values[0], values[1])
    return -limit * 128 / 127, limit


def lstm(
    graph: Graph, layer: LSTM, source: int, shape: Shape, inputs: Range, outputs: Range
) -> int:
    """Add a bidirectional LSTM.

    Args:
        graph: The graph to add it to.
        layer: The LSTM.
        source: Its input, `(1, T, C) int8`.
        shape: `(T, C)` of the input.
        inputs: The range of the input.
        outputs: The range of the output; symmetric.

    Returns:
        Its output, int8.
    """
    steps, hidden = shape[0], layer.bias.shape[1] // _GATES
    forward = _direction(graph, layer, 0, source, steps, inputs, outputs)
    reverse = _reversed(graph, source, shape, inputs)
    backward = _direction(graph, layer, 1, reverse, steps, inputs, outputs)
    backward = _reversed(graph, backward, (steps, hidden), outputs)
    return graph.operator(
        "CONCATENATION",
        [forward, backward],
        graph.activation("lstm", (steps, 2 * hidden), outputs),
        2,
        axis=2,
        fusedActivationFunction=graph.s.ActivationFunctionType.NONE,
    )


def _direction(
    graph: Graph, layer: LSTM, which: int, source: int, steps: int, inputs: Range, outputs: Range
) -> int:
    hidden = layer.bias.shape[1] // _GATES
    scale, _ = scale_and_zero(outputs)
    parts = (layer.weight_ih, layer.weight_hh, layer.bias)
    # Torch's gates i, f, g, o are the operator's i, f, c, o.
    gates = list(zip(*(np.split(part[which], _GATES) for part in parts), strict=True))
    ih, biases = zip(*(weights(graph, gate[0], gate[2], 0, inputs) for gate in gates), strict=True)
    hh = [graph.constant("weight", *round_weights(gate[1], 0)) for gate in gates]
    states = [
        graph.tensor("state", (1, hidden), "INT8", scale=scale, isVariable=True),
        graph.tensor("cell", (1, hidden), "INT16", scale=_CELL, isVariable=True),
    ]
    absent = [-1, -1, -1]  # peepholes; then projection, and normalization
    operands = [source, *ih, *hh, *absent, *biases, -1, -1, *states, -1, -1, -1, -1]
    intermediates = [graph.tensor("gate", (0,), "INT16", scale=_GATE) for _ in range(_GATES)]
    intermediates.append(graph.tensor("hidden", (0,), "INT8", scale=scale))
    return graph.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        operands,
        graph.activation("direction", (steps, hidden), outputs),
        3,
        intermediates,
        fusedActivationFunction=graph.s.ActivationFunctionType.TANH,
        timeMajor=False,
    )


def _reversed(graph: Graph, source: int, shape: Shape, values: Range) -> int:
    """A sequence in the reverse order of its time steps."""
    axis = graph.constant("axis", np.array([1], dtype=np.int32))
    output = graph.activation("reversed", shape, values)
    return graph.operator("REVERSE_V2", [source, axis], output, 3)
