import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from rnn_tui.render.canvas import ASCII, Canvas, fitting, printable, shortened

RED = Style(color="red")
wide_texts = st.text(st.characters() | st.sampled_from("日本語é🙂ａ…▀"), max_size=12)


def test_a_screen_of_text_and_boxes() -> None:
    canvas = Canvas(30, 5)
    canvas.frame(0, 0, 16, 5, "program")
    canvas.frame(17, 0, 13, 3, "a very long title", box="╭─╮│╰╯")
    end = canvas.text(2, 1, "dWa += ")
    canvas.text(end, 1, "[/]")
    canvas.rows(19, 1, [[Segment("▀▀"), Segment("▄▄")]])
    canvas.frame(18, 3, 4, 2, "x", box=ASCII)
    expected = """\
┌─ program ────┐ ╭─ a very… ─╮
│ dWa += [/]   │ │ ▀▀▄▄      │
│              │ ╰───────────╯
│              │  +--+
└──────────────┘  +--+"""
    assert canvas.plain() == expected


def test_later_pieces_cover_earlier_ones() -> None:
    canvas = Canvas(12, 1)
    canvas.text(0, 0, "abcdefghijkl")
    canvas.text(3, 0, "XY")
    canvas.text(4, 0, "Z")
    canvas.text(10, 0, "beyond the edge")
    canvas.text(-2, 0, "..!")
    assert canvas.plain() == "!bcXZfghijbe"


def test_half_a_wide_character_is_a_blank() -> None:
    canvas = Canvas(7, 1)
    canvas.text(0, 0, "日本語")
    canvas.text(1, 0, "x")
    canvas.text(6, 0, "日")
    assert canvas.plain() == " x本語"
    assert canvas.strips()[0].cell_length == 7


def test_styles() -> None:
    canvas = Canvas(6, 2, Style(bgcolor="blue"))
    canvas.text(1, 0, "ab", RED)
    canvas.fill(0, 1, 3, 5, Style(bgcolor="green"))
    first, second = (list(strip) for strip in canvas.strips())
    assert first == [
        Segment(" ", Style(bgcolor="blue")),
        Segment("ab", Style(color="red", bgcolor="blue")),
        Segment("   ", Style(bgcolor="blue")),
    ]
    assert second == [Segment("   ", Style(bgcolor="green")), Segment("   ", Style(bgcolor="blue"))]


def test_what_is_outside_is_left_out() -> None:
    canvas = Canvas(4, 2)
    canvas.text(0, -1, "up")
    canvas.text(0, 2, "down")
    canvas.text(4, 0, "right")
    canvas.text(-4, 0, "left")
    canvas.rows(0, 1, [[Segment("12345")], [Segment("678")]])
    canvas.frame(0, 0, 1, 9)
    assert canvas.plain() == "\n1234"


def test_targets() -> None:
    canvas = Canvas(10, 4)
    canvas.hit(0, 0, 10, 4, "all")
    canvas.hit(2, 1, 3, 2, "cell")
    canvas.text(6, 3, "word", target="word")
    assert canvas.target_at(1, 1) == ("all", 1, 1)
    assert canvas.target_at(4, 2) == ("cell", 2, 1)
    assert canvas.target_at(5, 2) == ("all", 5, 2)
    assert canvas.target_at(7, 3) == ("word", 1, 0)
    assert canvas.target_at(10, 0) is canvas.target_at(0, -1) is None
    assert Canvas(3, 3).target_at(1, 1) is None


def test_nothing_invisible_reaches_the_terminal() -> None:
    assert printable("a\x1b[31mb\n\u202ec\u200b\x9b é日") == "a�[31mb��c�� é日"


def test_shortened() -> None:
    assert [shortened("flow of da", width) for width in (10, 6, 5, 1, 0)] == ["flow of da", "flow…", "flow…", "", ""]
    assert shortened("日本語", 5) == "日本…"


@given(
    st.integers(1, 20), st.lists(st.tuples(st.integers(-8, 24), wide_texts, st.booleans()), max_size=8)
)  # fmt: skip
def test_strips_have_exactly_the_width(width: int, pieces: list[tuple[int, str, bool]]) -> None:
    canvas = Canvas(width, 1)
    for x, text, as_rows in pieces:
        if as_rows:
            canvas.rows(x, 0, [[Segment(part, RED) for part in printable(text)]])
        else:
            canvas.text(x, 0, text)
    (strip,) = canvas.strips()
    assert strip.cell_length == width == sum(segment.cell_length for segment in strip)
    assert strip.text.isprintable()


@given(st.integers(1, 20), st.lists(st.tuples(st.integers(-8, 24), st.text("abc", max_size=9)), max_size=8))
def test_overlaps_are_what_a_painter_would_do(width: int, pieces: list[tuple[int, str]]) -> None:
    canvas, paint = Canvas(width, 1), [" "] * width
    for x, text in pieces:
        assert canvas.text(x, 0, text) == x + len(text)
        for column, character in enumerate(text, x):
            if 0 <= column < width:
                paint[column] = character
    assert canvas.strips()[0].text == "".join(paint)


@given(wide_texts, st.integers(0, 12))
def test_shortened_fits(text: str, width: int) -> None:
    assert cell_len(shortened(text, width)) <= width


def test_lines_on_which_nothing_changed_are_the_strips_of_the_drawing_before():
    def drawn(number: str, width: int = 20) -> Canvas:
        canvas = Canvas(width, 4)
        canvas.frame(0, 0, width, 4, "box")
        canvas.text(2, 1, number)
        canvas.text(2, 2, "the same")
        return canvas

    first, second = drawn("12"), drawn("3")
    before = first.strips()
    after = second.strips(first)
    assert [old is new for old, new in zip(before, after, strict=True)] == [True, False, True, True]
    assert after == drawn("3").strips()
    assert drawn("3", 21).strips(second) == drawn("3", 21).strips()


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (60, "this line · both = joined(a1, a1r); z = x[0, 1]"),
        (45, "this line · both = joined(a1, a1r)"),
        (33, "this line"),
        (8, "this li…"),
    ],
)
def test_a_text_that_is_too_long_loses_whole_clauses_and_none_inside_brackets(width: int, expected: str) -> None:
    assert fitting("this line · both = joined(a1, a1r); z = x[0, 1]", width) == expected


@given(wide_texts, st.integers(0, 8))
def test_what_is_fitting_fits(text: str, width: int) -> None:
    assert cell_len(fitting(text, width)) <= width
