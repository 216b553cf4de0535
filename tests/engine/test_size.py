"""Sizes of memory, read and written."""

from __future__ import annotations

import pytest

from engine.size import Size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("500M", 500 << 20),
        ("2G", 2 << 30),
        ("1.5g", 3 << 29),
        ("64 KiB", 64 << 10),
        ("1TB", 1 << 40),
        ("4096", 4096),
        (" 7 ", 7),
    ],
)
def test_what_is_written(text: str, size: int) -> None:
    assert Size.parse(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1", "0", "0M", "2X", "1e9", "nan", "two", "1,5G", "9" * 30 + "T", "0.1"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError):
        Size.parse(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (2 << 30, "2G"),
        (500 << 20, "500M"),
        (1_330_000_000, "1.24G"),
        (1536, "1.5K"),
        (7, "7 bytes"),
        (5 << 50, "5.12e+03T"),
    ],
)
def test_how_it_is_shown(size: int, text: str) -> None:
    assert str(Size(size)) == text


@pytest.mark.parametrize("text", ["500M", "2G", "1.5K", "12T"])
def test_what_is_shown_can_be_read(text: str) -> None:
    assert str(Size.parse(text)) == text
