"""Errors that a caller can cause, each with a message for people.

All derive from `CrnnError`, so that a command line can catch one class, print the message and
exit, and a program can distinguish a bad image from a bad model file.
"""


class CrnnError(Exception):
    """Any error of this toolkit: what failed, what was given, what was expected, what to do."""


class ImageError(CrnnError, ValueError):
    """An image that cannot be read as a line of text: wrong dtype, wrong shape, too wide."""


class CharsetError(CrnnError, ValueError):
    """A token list that contradicts itself, or a text with characters that it lacks."""


class ModelFileError(CrnnError, ValueError):
    """A model file that is missing, damaged, foreign, or at odds with its own manifest."""


class EngineError(CrnnError, RuntimeError):
    """An inference engine that does not support what was requested on this machine."""


class MissingEngineError(EngineError):
    """An inference engine, or another library, that is not installed."""


class DecodeError(CrnnError, ValueError):
    """Invalid log-probabilities, a text without an alignment, or an invalid decoder setting."""


class UnknownNameError(CrnnError, LookupError):
    """A backend, decoder, backbone or style that no module provides."""
