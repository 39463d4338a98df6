"""Programs that run in child processes, each perhaps in an environment without this project.

A program is a module with `start(*arguments)`, which prepares and returns its functions by name. It
imports the standard library and what it measures; `serve` runs it.
"""
