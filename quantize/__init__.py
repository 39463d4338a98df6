"""Quantizing a finished model file to INT8, and verifying that it is still accurate.

Needs no torch. `quantize.formats` writes files, `quantize.X` quantizes those of format X.
"""
