"""Reads a line of text in an image, with NumPy and one inference engine.

>>> from runtime import Recognizer
>>> recognizer = Recognizer.load()
>>> recognizer(image).text
"""

from __future__ import annotations

from runtime.backends import Backend, open_backend
from runtime.charset import Charset
from runtime.decoders import Decoder, make_decoder
from runtime.decoders.recognition import Character, Recognition
from runtime.errors import CrnnError
from runtime.images import list_images, read_image
from runtime.manifest import Manifest
from runtime.preprocess import Preprocess
from runtime.recognizer import Recognizer

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
