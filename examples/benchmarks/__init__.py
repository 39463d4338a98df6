"""Benchmarks: `python -m examples.benchmark X` is `examples/benchmarks/X.py`.

A benchmark is a module with `add_options(parser)` and `run(options)`; the other modules here are
shared by them. Programs that run in processes of their own are in `programs/`.
"""
