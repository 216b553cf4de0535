"""How many examples a property gets. The counts that tests name are those of the profile `thorough`; by default it is half of them.

The profiles are registered in tests/conftest.py; `--hypothesis-profile NAME` chooses one.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings

WHOLE = 100
"""`max_examples` of the profile in which every count is as the test names it."""


def number(count: int, *, dear: bool = False) -> int:
    """`count` in the profile `thorough`, and as many fewer or more as the profile chosen says, one at least.

    With `dear`, one takes about a tenth of a second: profiles with fewer examples run half of their share.
    """
    share = settings().max_examples / WHOLE
    if dear and share < 1:
        share /= 2
    return max(1, round(count * share))


def examples(count: int, *, dear: bool = False, **more: Any) -> settings:
    """Settings for a property with `number(count)` examples."""
    return settings(max_examples=number(count, dear=dear), **more)
