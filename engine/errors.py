"""The one error for bad input: a sentence that names the file, the place and the remedy."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used.

    `str(error)` is one sentence for people: what is wrong, where (file, row, column) and what would be right.
    The command line prints it and exits with code 2; no traceback is ever shown for it.
    """
