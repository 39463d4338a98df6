"""One voice on one staff, read as CRNN reads a word: the paper's other notation (section 3.4).

`signs.py` has the vocabulary, `score.py` what a row of signs means, `compose.py` and `engrave.py`
make training pictures, `read.py` reads a picture into signs, ABC notation and sound.
"""
