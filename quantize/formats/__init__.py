"""Writing model files: one module a format, each with its manifest and its checksum.

Nothing here quantizes, and nothing needs an inference engine.
"""
