import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_tui.render.numbers import divided, exact, number, shape, signed, size, tens_of

finite = st.floats(allow_nan=False, allow_infinity=False)
widths = st.integers(7, 14)


def read(text: str) -> float:
    return float(text.replace("−", "-"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (3.0, "3"),
        (-12.0, "−12"),
        (0.01312, "0.01312"),
        (-0.022851, "−0.02285"),
        (0.5, "0.5000"),
        (9.9996, "10.00"),
        (12345.6, "12346"),
        (0.00012345, "0.000123"),
        (3.1e-5, "3.100e−5"),
        (-3.1e-5, "−3.100e−5"),
        (1e16, "1.000e16"),
        (5e-324, "4.9e−324"),
        (float("nan"), "NaN"),
        (float("inf"), "∞"),
        (float("-inf"), "−∞"),
    ],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


def test_number_in_seven_columns_keeps_what_it_can() -> None:
    assert [number(value, 7) for value in (3.1e-5, -1.5e300, 123456789.0)] == ["3.1e−5", "−2e300", "1.23e8"]


def test_number_trimmed() -> None:
    assert [number(value, 9, 3, trim=True) for value in (0.06, 3e-7, 200.0, 1.0)] == ["0.06", "3e−7", "200", "1"]


@given(finite, widths)
def test_number_is_never_too_wide(value: float, width: int) -> None:
    assert len(number(value, width)) <= width


@given(finite, widths, st.booleans())
def test_number_keeps_sign_and_is_zero_only_for_zero(value: float, width: int, trim: bool) -> None:
    shown = read(number(value, width, trim=trim))
    assert np.sign(shown) == np.sign(value)


@given(st.floats(1e-30, 1e30), widths)
def test_number_shows_the_same_digits_for_both_signs(value: float, width: int) -> None:
    assert number(-value, width) == "−" + number(value, width)


@given(st.floats(1e-99, 1e99))
def test_number_is_right_to_one_percent(value: float) -> None:
    assert read(number(value)) == pytest.approx(value, rel=0.01)


@given(finite)
def test_number_has_no_hyphen(value: float) -> None:
    assert "-" not in number(value) + exact(value)


@pytest.mark.parametrize(
    "values", [(3.8e-4, -9.67e-4, 0.0), (999.6, 1.0), (1.26, -0.004), (12345.0, 3.0), (5e-324, 0.0)]
)
def test_numbers_divided_by_one_power_of_ten_have_three_digits(values: tuple[float, ...]) -> None:
    tens = tens_of(values, 3)
    for value in values:
        text = divided(value, tens)
        assert len(text) <= 4 and (text == "0") == (value == 0.0)
        if text != "≈0":
            assert read(text) * 10.0**tens == pytest.approx(value, rel=1e-6, abs=0.5 * 10.0**tens)
    assert tens_of((0.0, 1.0, 15.0, math.nan), 3) == 0 and divided(math.nan, 0) == "NaN"


def test_signed() -> None:
    assert [signed(value) for value in (0.5, -0.5, 0.0)] == ["+0.5000", "−0.5000", "0"]


@given(finite)
def test_exact_reads_back(value: float) -> None:
    assert read(exact(value)) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_exact_reads_back_as_float32(value: float) -> None:
    assert np.float32(read(exact(value, np.float32))) == np.float32(value)


def test_exact_is_the_shortest_of_its_dtype() -> None:
    assert exact(0.1, np.float32) == "0.1"
    assert exact(float(np.float32(0.1)), np.float32) == "0.1"
    assert exact(float(np.float32(0.1)), np.float64) == "0.10000000149011612"
    assert exact(-0.0) == "0.0"
    assert exact(float("-inf")) == "−∞"
    assert exact(-1e-7) == "−1e−07"


def test_shape() -> None:
    assert [shape(dims) for dims in ((10, 8), (8,), (), (2, 3, 4))] == ["10×8", "8", "1", "2×3×4"]


def test_size() -> None:
    counts = (0, 999, 1000, 1500, 9_990, 999_499, 999_500, 45_000_000, 2_000_000_000)
    assert [size(count) for count in counts] == [
        "0 B", "999 B", "1 kB", "1.5 kB", "10 kB", "999 kB", "1 MB", "45 MB", "2 GB",
    ]  # fmt: skip
