"""What can go wrong between a caller and the runtime, each with a message meant for people.

All derive from `CrnnError`, so that a command line can catch one name, print the message and
exit, and a program can tell a bad picture from a bad file.
"""


class CrnnError(Exception):
    """Anything this toolkit refuses, with what was given, what was expected and what to do."""


class ImageError(CrnnError, ValueError):
    """An image that cannot be read as a line of text: wrong dtype, wrong shape, too wide."""


class CharsetError(CrnnError, ValueError):
    """A token list that contradicts itself, or a text that the charset cannot spell."""


class ModelFileError(CrnnError, ValueError):
    """A model file that is missing, damaged, foreign, or at odds with its own manifest."""


class EngineError(CrnnError, RuntimeError):
    """An inference engine that cannot do what is asked of it here."""


class MissingEngineError(EngineError):
    """An inference engine, or another library, that is not installed here."""


class DecodeError(CrnnError, ValueError):
    """Log-probabilities that are none, a text that fits no alignment, a setting nobody knows."""


class UnknownNameError(CrnnError, LookupError):
    """A backend, decoder or backbone that no file provides."""
