"""Reads a line of text in an image, with NumPy and one inference engine.

>>> from crnn_edge import Recognizer, read_image
>>> recognizer = Recognizer.load()
>>> recognizer(read_image("word.png")).text
"""

from __future__ import annotations

import os

from crnn_edge.backends import Backend, open_backend
from crnn_edge.charset import Charset
from crnn_edge.decoders import make_decoder
from crnn_edge.decoders.base import Decoder
from crnn_edge.errors import CrnnError
from crnn_edge.images import list_images, read_image
from crnn_edge.manifest import Manifest
from crnn_edge.preprocess import Preprocess
from crnn_edge.recognition import Character, Recognition
from crnn_edge.recognizer import Recognizer

# ONNX Runtime 1.31 records events in the home folder and sends them. It obeys this variable only if
# it is set before the engine is imported, by whatever part of the toolkit; a user's value stays.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
"""The version of the package; `pyproject.toml` takes it from here."""

__all__ = [
    "Backend",
    "Character",
    "Charset",
    "CrnnError",
    "Decoder",
    "Manifest",
    "Preprocess",
    "Recognition",
    "Recognizer",
    "list_images",
    "make_decoder",
    "open_backend",
    "read_image",
]
