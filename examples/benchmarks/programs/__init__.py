"""What runs in child processes, each file in an environment that may hold nothing of ours.

A program is a file with `start(*arguments)`, which prepares and gives the functions that can be
asked for, by name. It imports the standard library and what it measures; `serve` runs it.
"""
