"""Benchmarks: a name is a file. `python examples/benchmark.py X` is `examples/benchmarks/X.py`.

Such a file has a docstring, which is the help that people read; `add_options(parser)`, which says
what may be asked; and `run(options)`, which measures, prints and gives the exit code. It imports
heavy things only in `run`. Files without a `run` are what the others share.
"""
