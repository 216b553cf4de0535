"""The commands: each takes parsed arguments and the model options that were given, and returns the exit code.

Standard output carries the result only.
"""
