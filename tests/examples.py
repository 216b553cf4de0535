"""How many examples a property gets. The counts that tests name are those of the profile `thorough`; by default it is a quarter of them.

The profiles are registered in tests/conftest.py; `--hypothesis-profile NAME` chooses one.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings

WHOLE = 100
"""`max_examples` of the profile in which every count is as the test names it."""


def number(count: int) -> int:
    """`count` in the profile `thorough`, and as many fewer or more as the profile chosen says, one at least."""
    return max(1, round(count * settings().max_examples / WHOLE))


def examples(count: int, **more: Any) -> settings:
    """Settings for a property with `number(count)` examples."""
    return settings(max_examples=number(count), **more)
