"""The command lines: one module per command, and what all commands share."""
