"""Names in a record that the text which calls functions gave: `_driver.Wh` is the user's argument Wh."""

from __future__ import annotations

import re

ARGUMENT = "_driver."
"""So begin the names of the arguments with which functions are called."""
UPSTREAM = "_driver_upstream."
"""So begin the names of what outputs were multiplied by to make a loss of them: it is no input of theirs."""


def as_written(name: str) -> str:
    """The name without what the calling text put before it."""
    name = re.sub(r"^_driver_data\['(\w+)'\]", r"\1", name)
    return re.sub(r"^_driver(?:_upstream)?\.|^_driver_(?=self\b)", "", name)
