"""Reads one voice on one staff, as in section 3.4 of the CRNN paper.

`symbols.py` is the charset, `score.py` the meaning of a sequence of symbols; `compose.py` and
`engrave.py` make training images; `read.py` reads an image into symbols, ABC notation and sound.
"""
