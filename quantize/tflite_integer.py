"""The parts of a TFLite graph that compute in whole numbers alone, for accelerators.

The integer LSTM takes and gives int8 and keeps its cells and gates in int16. Its kernel has one
direction, so a bidirectional LSTM is two of them, the second between two reversals.

Tried with the shipped network: both TFLite runtimes and the one for microcontrollers run it; Arm's
compiler Vela 5.2 puts all of it on an Ethos-U85, and all but the reversals on an Ethos-U55 or U65.
"""

from __future__ import annotations

import numpy as np

from crnn_edge.layer_ir import LSTM, FloatArray
from quantize.numpy import round_weights
from quantize.tflite_graph import Graph, Range, Shape, levels

_GATES = 4
_CELL = 2.0**-11  # what a level of an int16 cell is worth: cells saturate at ±16, where tanh is ±1
_GATE = 2.0**-12  # the same of a gate before its sigmoid or tanh, as the kernel wants it
_BIAS_LIMIT = 2**31 - 128  # the largest int32 that float32 holds


def weights(
    graph: Graph, weight: FloatArray, bias: FloatArray, axes: int, over: Range
) -> list[int]:
    """Constants of a layer with int8 inputs.

    Args:
        graph: Where to put them.
        weight: The layer's, its outputs first.
        bias: The layer's.
        axes: 1 for a scale of each output's own, 0 for a single one.
        over: What the layer's input ranges over.

    Returns:
        The weights, int8, and the bias, int32 in units of input times weight.
    """
    values, scale = round_weights(weight, axes)
    unit = scale * levels(over)[0]
    rounded = np.clip(np.rint(bias / unit), -_BIAS_LIMIT, _BIAS_LIMIT).astype(np.int32)
    return [graph.constant("weight", values, scale), graph.constant("bias", rounded, unit)]


def balanced(over: Range) -> Range:
    """The least range around another one whose zero point is 0, as an LSTM's state starts from."""
    limit = max(-over[0], over[1])
    return -limit * 128 / 127, limit


def lstm(graph: Graph, layer: LSTM, given: int, shape: Shape, over: Range, behind: Range) -> int:
    """A bidirectional LSTM.

    Args:
        graph: Where to put it.
        layer: The LSTM.
        given: Its input, `(1, T, C) int8`.
        shape: `(T, C)` of it.
        over: What it ranges over.
        behind: What the output ranges over; balanced.

    Returns:
        Its output, int8.
    """
    steps, hidden = shape[0], layer.bias.shape[1] // _GATES
    forwards = _direction(graph, layer, 0, given, steps, over, behind)
    reverse = _reversed(graph, given, shape, over)
    backwards = _direction(graph, layer, 1, reverse, steps, over, behind)
    backwards = _reversed(graph, backwards, (steps, hidden), behind)
    return graph.operator(
        "CONCATENATION",
        [forwards, backwards],
        graph.activation("lstm", (steps, 2 * hidden), behind),
        2,
        axis=2,
        fusedActivationFunction=graph.s.ActivationFunctionType.NONE,
    )


def _direction(
    graph: Graph, layer: LSTM, which: int, given: int, steps: int, over: Range, behind: Range
) -> int:
    hidden = layer.bias.shape[1] // _GATES
    scale, _ = levels(behind)
    parts = (layer.weight_ih, layer.weight_hh, layer.bias)
    # Torch's gates i, f, g, o are the operator's i, f, c, o.
    gates = list(zip(*(np.split(part[which], _GATES) for part in parts), strict=True))
    ih, biases = zip(*(weights(graph, gate[0], gate[2], 0, over) for gate in gates), strict=True)
    hh = [graph.constant("weight", *round_weights(gate[1], 0)) for gate in gates]
    states = [
        graph.tensor("state", (1, hidden), "INT8", scale=scale, isVariable=True),
        graph.tensor("cell", (1, hidden), "INT16", scale=_CELL, isVariable=True),
    ]
    unused = [-1, -1, -1]  # peepholes; then projection, and normalization
    inputs = [given, *ih, *hh, *unused, *biases, -1, -1, *states, -1, -1, -1, -1]
    inside = [graph.tensor("gate", (0,), "INT16", scale=_GATE) for _ in range(_GATES)]
    inside.append(graph.tensor("hidden", (0,), "INT8", scale=scale))
    return graph.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        inputs,
        graph.activation("direction", (steps, hidden), behind),
        3,
        inside,
        fusedActivationFunction=graph.s.ActivationFunctionType.TANH,
        timeMajor=False,
    )


def _reversed(graph: Graph, given: int, shape: Shape, over: Range) -> int:
    """A row of columns from right to left."""
    axis = graph.constant("axis", np.array([1], dtype=np.int32))
    return graph.operator("REVERSE_V2", [given, axis], graph.activation("reversed", shape, over), 3)
