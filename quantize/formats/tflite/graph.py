"""Building a TFLite graph: tensors, constants and operators, named as in the schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from crnn_edge.errors import CrnnError, MissingEngineError
from crnn_edge.install_hint import install_hint

Range = tuple[float, float]
Shape = tuple[int, ...]

_IDENTIFIER = b"TFL3"
_OPTIONS = {  # of operators whose options are not called as they are
    "CONV_2D": "Conv2D",
    "MAX_POOL_2D": "Pool2D",
    "REVERSE_V2": "ReverseV2",
    "BIDIRECTIONAL_SEQUENCE_LSTM": "BidirectionalSequenceLSTM",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}


class LoweringError(CrnnError, TypeError):
    """A network that cannot be expressed in the operators of this toolkit's TFLite files."""


def schema() -> Any:
    """The module of TFLite's flatbuffer classes.

    Raises:
        MissingEngineError: If it is not installed; the message names the extra.
    """
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise MissingEngineError(
            f"writing TFLite files needs the package ai-edge-litert ({error}): "
            f"{install_hint('tflite')}"
        ) from None
    return schema_py_generated


def scale_and_zero(values: Range) -> tuple[np.float32, int]:
    """Scale and zero point of int8 quantization over a range, extended to contain 0."""
    low, high = min(values[0], 0.0), max(values[1], 1e-6)
    scale = np.float32((high - low) / 255)
    return scale, int(np.clip(np.rint(-128 - low / scale), -128, 127))


class Graph:
    """One subgraph and its buffers. Tensors are referred to by their indices.

    Args:
        any_width: Whether the second-last axis of outputs (width, or time) is declared as dynamic.
            Engines resize it in both cases; compilers for accelerators refuse dynamic axes.

    Attributes:
        s: The schema.
    """

    def __init__(self, *, any_width: bool) -> None:
        """An empty graph."""
        self.s = schema()
        self._any_width = any_width
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [self.s.BufferT()]
        self._operators: list[Any] = []
        self._codes: dict[tuple[int, int], int] = {}

    def tensor(
        self,
        name: str,
        shape: Shape,
        kind: str = "FLOAT32",
        *,
        scale: Any = None,
        zero: int = 0,
        **more: Any,
    ) -> int:
        """Add a tensor that an operator writes.

        Args:
            name: Its name, to which an index is added.
            shape: Its shape.
            kind: Its type, named as in the schema.
            scale: The quantization scale, or one for each channel; None for floats.
            zero: The quantization level of 0.
            more: Further fields of the schema.
        """
        free = self._any_width and len(shape) > 2
        signature = [*shape[:-2], -1, shape[-1]] if free else None
        quantization = self.s.QuantizationParametersT()
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, dtype=np.float32))
            quantization = _make(
                self.s.QuantizationParametersT, scale=scales.tolist(),
                zeroPoint=[zero] * len(scales), quantizedDimension=0,
            )  # fmt: skip
        fields = {
            "name": f"{name}_{len(self._tensors)}" if self._tensors else name,
            "shape": list(shape),
            "shapeSignature": signature,
            "type": getattr(self.s.TensorType, kind),
            "quantization": quantization,
            "hasRank": True,
        }
        self._tensors.append(_make(self.s.TensorT, **{**fields, **more}))
        return len(self._tensors) - 1

    def activation(self, name: str, shape: Shape, values: Range | None) -> int:
        """Add an output `(1, *shape)`: int8 if a range is given, else float."""
        if values is None:
            return self.tensor(name, (1, *shape))
        scale, zero = scale_and_zero(values)
        return self.tensor(name, (1, *shape), "INT8", scale=scale, zero=zero)

    def constant(self, name: str, values: npt.NDArray[Any], scale: Any = None) -> int:
        """Add a tensor whose values are in the file."""
        data = np.frombuffer(np.ascontiguousarray(values).tobytes(), dtype=np.uint8)
        self._buffers.append(_make(self.s.BufferT, data=data))
        kind, buffer = values.dtype.name.upper(), len(self._buffers) - 1
        return self.tensor(
            name, values.shape, kind, scale=scale, buffer=buffer, shapeSignature=None
        )

    def operator(
        self,
        name: str,
        inputs: Sequence[int],
        output: int,
        version: int,
        intermediates: Sequence[int] | None = None,
        **options: Any,
    ) -> int:
        """Add an operator.

        Args:
            name: Its name in the schema.
            inputs: The tensors that it reads; -1 for an optional one that is absent.
            output: The tensor that it writes.
            version: The lowest version of the operator with these types and options.
            intermediates: Tensors that only hold the scales of internal values.
            options: Fields of its options.

        Returns:
            `output`.
        """
        s = self.s
        kind = _OPTIONS.get(name, name.title().replace("_", ""))
        key = (getattr(s.BuiltinOperator, name), version)
        self._operators.append(
            _make(
                s.OperatorT,
                opcodeIndex=self._codes.setdefault(key, len(self._codes)),
                inputs=list(inputs),
                outputs=[output],
                intermediates=intermediates,
                builtinOptionsType=getattr(s.BuiltinOptions, f"{kind}Options"),
                builtinOptions=_make(getattr(s, f"{kind}OptionsT"), **options),
            )
        )
        return output

    def flatbuffer(self, input_index: int, output_index: int) -> bytes:
        """The graph as a file's bytes.

        Args:
            input_index: The tensor that a caller writes.
            output_index: The tensor that a caller reads.
        """
        import flatbuffers

        s = self.s
        graph = _make(
            s.SubGraphT, tensors=self._tensors, inputs=[input_index], outputs=[output_index],
            operators=self._operators, name="main",
        )  # fmt: skip
        codes = [
            _make(s.OperatorCodeT, builtinCode=code, version=version,
                  deprecatedBuiltinCode=min(code, 127))  # for readers before 2.3
            for code, version in self._codes
        ]  # fmt: skip
        model = _make(
            s.ModelT, version=3, operatorCodes=codes, subgraphs=[graph], buffers=self._buffers
        )
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())


def _make(schema_class: Any, **fields: Any) -> Any:
    """An instance of a class of the schema, whose constructors take no arguments."""
    instance = schema_class()
    for name, value in fields.items():
        setattr(instance, name, value)
    return instance
