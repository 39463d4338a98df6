"""What an `.onnx` file contains, checked before an engine gets it.

An ONNX graph is a program: it can name other files to read, loop, and call operators of any
library that an engine has loaded. So a file is refused that does more than compute a network from
weights of its own: external data, subgraphs, functions, and operators outside `OPERATORS`.

The file is a protocol buffer. Its fields are walked here without a library, in one pass; see
https://protobuf.dev/programming-guides/encoding and onnx.proto for the field numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from crnn_edge.integrity import sha256
from crnn_edge.manifest import KEY

# Every output is a function of the inputs, of a size that the inputs bound.
OPERATORS = frozenset(
    """
    Abs Add ArgMax AveragePool BatchNormalization Cast Ceil Clip Concat Constant Conv ConvInteger
    DequantizeLinear Div DynamicQuantizeLinear Elu Equal Erf Exp Flatten Floor GRU Gather Gelu Gemm
    GlobalAveragePool GlobalMaxPool Greater HardSigmoid HardSwish Identity InstanceNormalization
    LSTM LayerNormalization LeakyRelu Less Log LogSoftmax MatMul MatMulInteger Max MaxPool Mean Min
    Mish Mul Neg PRelu Pow QLinearConv QLinearMatMul QuantizeLinear Reciprocal ReduceL2 ReduceMax
    ReduceMean ReduceMin ReduceSum Relu Reshape Round Selu Shape Sigmoid Sign Slice Softmax
    Softplus Softsign Split Sqrt Squeeze Sub Sum Tanh Transpose Unsqueeze Where
    """.split()  # noqa: SIM905
)
"""The operators of ONNX itself that a file may use: what exporters write for plain networks."""

OTHER_OPERATORS = {"com.microsoft": frozenset({"DynamicQuantizeLSTM"})}
"""The operators of other domains, by domain: what INT8 files contain."""

_MAX_FIELDS = 200_000  # the largest shipped file has 2,000

# Field numbers, and the wire types of varints and of bytes.
_VARINT, _BYTES = 0, 2
_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_MODEL_PLAIN = {1, 2, 3, 4, 5, 6, 8}  # versions, names, documentation, operator sets
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_GRAPH_PLAIN = {2, 10, 11, 12, 13, 14, 16}  # names, documentation, inputs, outputs, types
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_NODE_PLAIN = {1, 2, 3, 6, 9}  # inputs, outputs, name, documentation, metadata
_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS = 5, 10
_ATTRIBUTE_PLAIN = {1, 2, 3, 4, 7, 8, 9, 13, 20}  # name, numbers, texts, documentation, type
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14

Field = tuple[int, int, "int | memoryview", memoryview]
"""Number, wire type, value, and the field's bytes."""


class _Walker:
    """Reads the fields of messages, of a bounded number in all."""

    def __init__(self) -> None:
        self.left = _MAX_FIELDS

    def fields(self, message: memoryview) -> Iterator[Field]:
        """The fields of a message.

        Raises:
            ValueError: If it is damaged.
        """
        at, end = 0, len(message)
        while at < end:
            self.left -= 1
            if self.left < 0:
                raise ValueError(f"it has more than {_MAX_FIELDS:,} fields")
            start = at
            tag, at = _varint(message, at)
            number, wire_type = tag >> 3, tag & 7
            if not 1 <= number < 1 << 29:
                raise ValueError(f"it has a field with the number {number}")
            value: int | memoryview
            if wire_type == _VARINT:
                value, at = _varint(message, at)
            else:
                if wire_type == _BYTES:
                    size, at = _varint(message, at)
                elif wire_type in (1, 5):
                    size = 8 if wire_type == 1 else 4
                else:
                    raise ValueError(f"it has a field of the wire type {wire_type}")
                if size > end - at:
                    raise ValueError("a field is longer than the file")
                value, at = message[at : at + size], at + size
            yield number, wire_type, value, message[start:at]

    def messages(
        self, message: memoryview, allowed: set[int], plain: set[int], what: str
    ) -> Iterator[tuple[int, memoryview]]:
        """The fields of a message that have to be looked at.

        Args:
            message: The message.
            allowed: The numbers of the fields to return, which must be bytes.
            plain: The numbers of the fields that need no look.
            what: The name of the message.

        Raises:
            ValueError: If there is any other field.
        """
        for number, wire_type, value, _ in self.fields(message):
            if number in allowed and wire_type == _BYTES and isinstance(value, memoryview):
                yield number, value
            elif number not in plain:
                raise ValueError(f"a {what} has field {number}, which exporters here do not write")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        if at >= len(message):
            raise ValueError("it ends within a number")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number is too long")


@dataclass(frozen=True)
class OnnxFile:
    """The parts of a file whose graph is permitted.

    Attributes:
        manifest: The text of the manifest; None if there is none.
        other_bytes: All other bytes, in their order.
    """

    manifest: str | None
    other_bytes: tuple[memoryview, ...]

    def checksum(self) -> str:
        """The SHA-256 of the whole file, the checksum in the manifest being null."""
        text = self.manifest or ""
        if stored := self.stored_checksum():
            text = text.replace(f'"checksum": {json.dumps(stored)}', '"checksum": null', 1)
        return sha256(*self.other_bytes, text.encode())

    def stored_checksum(self) -> str | None:
        """The checksum in the manifest; None if it has none, or is not JSON."""
        try:
            fields = json.loads(self.manifest or "null")
        except (ValueError, RecursionError):
            return None
        stored = fields.get("checksum") if isinstance(fields, dict) else None
        return stored if isinstance(stored, str) else None


def parse(data: bytes) -> OnnxFile:
    """Check the contents of a file, and take it apart.

    Raises:
        ValueError: If it is damaged, or has contents that are not permitted.
    """
    walker = _Walker()
    manifests: list[str] = []
    others: list[memoryview] = []
    graphs = 0
    for number, wire_type, value, field in walker.fields(memoryview(data)):
        if number == _MODEL_METADATA and isinstance(value, memoryview) and wire_type == _BYTES:
            key, text = _entry(walker, value)
            if key == KEY:
                manifests.append(text)
                continue
        elif number == _MODEL_GRAPH and isinstance(value, memoryview) and wire_type == _BYTES:
            graphs += 1
            _check_graph(walker, value)
        elif number not in _MODEL_PLAIN:
            raise ValueError(f"the model has field {number}, which exporters here do not write")
        others.append(field)
    if graphs != 1 or len(manifests) > 1:  # of several, engines merge graphs and pick a manifest
        raise ValueError(f"it has {graphs} graphs and {len(manifests)} manifests")
    return OnnxFile(manifests[0] if manifests else None, tuple(others))


def _entry(walker: _Walker, message: memoryview) -> tuple[str, str]:
    texts = {_ENTRY_KEY: "", _ENTRY_VALUE: ""}
    for number, value in walker.messages(message, set(texts), set(), "metadata entry"):
        texts[number] = bytes(value).decode()
    return texts[_ENTRY_KEY], texts[_ENTRY_VALUE]


def _check_graph(walker: _Walker, graph: memoryview) -> None:
    looked_at = {_GRAPH_NODE, _GRAPH_INITIALIZER}
    for number, value in walker.messages(graph, looked_at, _GRAPH_PLAIN, "graph"):
        if number == _GRAPH_NODE:
            _check_node(walker, value)
        else:
            _check_tensor(walker, value)


def _check_node(walker: _Walker, node: memoryview) -> None:
    # Of a field that occurs twice the last one counts, so each must be permitted.
    operators: list[str] = []
    domains = [""]
    looked_at = {_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN}
    for number, value in walker.messages(node, looked_at, _NODE_PLAIN, "node"):
        if number == _NODE_ATTRIBUTE:
            _check_attribute(walker, value)
        else:
            (operators if number == _NODE_OPERATOR else domains).append(bytes(value).decode())
    domain = domains[-1]
    permitted = OPERATORS if domain in ("", "ai.onnx") else OTHER_OPERATORS.get(domain, frozenset())
    for operator in operators:
        if operator not in permitted or len(domains) > 2:
            name = f"{domain}.{operator}" if domain else operator
            raise ValueError(f"operator {name[:80]!r} is not one that exporters here write")


def _check_attribute(walker: _Walker, attribute: memoryview) -> None:
    looked_at = {_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS}
    for _, value in walker.messages(attribute, looked_at, _ATTRIBUTE_PLAIN, "node's attribute"):
        _check_tensor(walker, value)


def _check_tensor(walker: _Walker, tensor: memoryview) -> None:
    for number, _, value, _ in walker.fields(tensor):
        if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value != 0):
            raise ValueError("it has external data: weights in another file, which are not read")
