"""Shrinking a finished model file to INT8, and proving that it still reads.

Needs no torch, but for `model.qat`, which trains.
"""
