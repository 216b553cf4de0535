"""A number of the user's own run taken apart: the terms that add up to it, each with the numbers that it is a product of."""

from __future__ import annotations

from rich.cells import cell_len

from engine.doctor.walk.terms import NumberTerm, RecordedNumber
from engine.text import clean
from rnn_tui.panes.walk.run import line_words, time_words
from rnn_tui.render.canvas import Canvas, shortened
from rnn_tui.render.numbers import number
from rnn_tui.shown.targets import ToCrumb, ToOperand
from rnn_tui.shown.walk_frame import SHOWN_TERMS, WalkFrame

VALUE, BAR, NARROW = 13, 8, 60


def draw_walk_why(frame: WalkFrame, width: int, height: int) -> Canvas:
    """The number, where it was made, its terms with the largest first, and what is known of the number that is chosen."""
    look = frame.look
    canvas = Canvas(width, height, look.canvas)
    if not frame.choice.asked:
        return canvas
    asked = frame.choice.asked[-1]
    canvas.frame(0, 0, width, height, f"why · {name_of(frame, asked)}", look.border, look.bold)
    room, y = width - 4, 1
    if len(frame.choice.asked) > 1:
        _crumbs(frame, canvas, room)
        y = 2
    x = canvas.text(2, y, "= ", look.accent)
    x = canvas.text(x, y, number(frame.walk.terms.value(asked), 14, 9, trim=True), look.bold)
    canvas.text(x + 3, y, shortened(_made(frame, asked), room - x - 1), look.dim)
    if not frame.terms:
        canvas.text(2, y + 2, shortened(_given(frame, asked), room), look.text)
        return canvas
    _terms(frame, canvas, y + 2, room)
    return canvas


def name_of(frame: WalkFrame, asked: RecordedNumber) -> str:
    """`self.h[t][0, 3]`, `dL/d self.h[t][0, 3]`, with how often its line ran before."""
    place = frame.walk.places.described(asked.number)
    ran = time_words(frame, place.at, short=True) if place.at >= 0 else ""
    return clean(f"{'dL/d ' if asked.gradient else ''}{place.text}{ran}", 120)


def _crumbs(frame: WalkFrame, canvas: Canvas, room: int) -> None:
    """The path of questions; a click goes back to one."""
    look, path = frame.look, frame.choice.asked
    names = [name_of(frame, one) for one in path]
    first = 0
    while first < len(names) - 1 and sum(cell_len(name) + 3 for name in names[first:]) > room:
        first += 1
    x = canvas.text(2, 1, "… › " if first else "", look.dim)
    for k, name in enumerate(names[first:], first):
        last = k == len(names) - 1
        shown = shortened(name, max(0, room + 2 - x))
        x = canvas.text(x, 1, shown, look.text if last else look.dim, None if last else ToCrumb(k + 1))
        x = canvas.text(x, 1, "" if last else " › ", look.dim)


def _made(frame: WalkFrame, asked: RecordedNumber) -> str:
    """The line that made it, or, for dL/d(it), where it flows from."""
    place = frame.walk.places.line_of(asked.number)
    if place is None:
        return ""
    where = line_words(frame, *place)
    return f"came back to {where}" if asked.gradient else f"made in {where}"


def _given(frame: WalkFrame, asked: RecordedNumber) -> str:
    if asked.gradient:
        return "nothing came back: the loss does not depend on it"
    if asked.number in frame.walk.record.constants:
        return "it is written in the program"
    return "data, a weight or a first state: nothing of this run made it"


def _terms(frame: WalkFrame, canvas: Canvas, top: int, room: int) -> None:
    shown = frame.terms[:SHOWN_TERMS]
    last = canvas.height - 4
    counts = [len(term.factors) for term in shown]
    places = [sum(counts[:k]) for k in range(len(shown))]
    chosen = max((k for k, place in enumerate(places) if place <= frame.followed), default=0)
    lines = max(1, last - top)
    first = max(0, min(chosen - lines // 2, len(shown) - lines))
    largest = max(abs(term.value) for term in shown) or 1.0
    for y, k in enumerate(range(first, min(first + lines, len(shown))), top):
        _term(frame, canvas, y, shown[k], places[k], largest, room)
    y = top + min(lines, len(shown))
    if len(frame.terms) > 1:
        _sum(frame, canvas, y, len(frame.terms) - min(first + lines, len(shown)), room)
    if frame.numbers:
        _chosen(frame, canvas, room)


def _sum(frame: WalkFrame, canvas: Canvas, y: int, below: int, room: int) -> None:
    """The sum of all terms, in another colour where it is not the number; how many are further below."""
    look, terms = frame.look, frame.terms
    total = sum(term.value for term in terms)
    asked = frame.walk.terms.value(frame.choice.asked[-1])
    rest = sum(term.value for term in terms[SHOWN_TERMS:])
    more = f"{below} smaller ones below · " if below else ""
    more += f"of {len(terms) - SHOWN_TERMS} only the sum: {number(rest, 10, 4, trim=True)} · " if rest else ""
    off = abs(total - asked) > 1e-4 * sum(abs(term.value) for term in terms)
    text = f"{number(total, VALUE - 1, 5, trim=True).rjust(VALUE - 1)} {more}sum of {len(terms)}"
    canvas.text(2, y, shortened(text, room), look.error if off else look.dim)


def _term(frame: WalkFrame, canvas: Canvas, y: int, term: NumberTerm, first: int, largest: float, room: int) -> None:
    """The term's value, a bar of its share, and what it is a product or a function of."""
    look, end = frame.look, room + 2
    style = look.backward if term.value < 0 else look.forward
    x = canvas.text(2, y, number(term.value, VALUE - 1, 5, trim=True).rjust(VALUE - 1) + " ", look.text)
    if room >= NARROW:
        length = round(BAR * 8 * abs(term.value) / largest)
        bar = "█" * (length // 8) + ("▏▎▍▌▋▊▉"[length % 8 - 1] if length % 8 else "")
        x = canvas.text(x, y, bar.ljust(BAR) + " ", style)
    x = canvas.text(x, y, shortened(_before(term), end - x), look.dim)
    for k, (name, value) in enumerate(_factors(frame, term, end - x)):
        if k:
            x = canvas.text(x, y, shortened(_between(term), end - x), look.dim)
        is_chosen, start = first + k == frame.followed, x
        under = look.band if is_chosen else look.canvas
        x = canvas.text(x, y, shortened(name, end - x), (look.accent if is_chosen else look.text) + under)
        x = canvas.text(x, y, shortened(value, end - x), (look.bold if is_chosen else look.dim) + under)
        canvas.hit(start, y, x - start, 1, ToOperand(first + k))


def _between(term: NumberTerm) -> str:
    return ", " if term.function else " × "


def _factors(frame: WalkFrame, term: NumberTerm, room: int) -> list[tuple[str, str]]:
    """The names of a term's numbers, with their values where there is room for both; names that do not fit are shortened alike."""
    names = [name_of(frame, factor) for factor in term.factors]
    values = [_value(frame, factor) for factor in term.factors]
    left = room - len(_between(term)) * (len(names) - 1)
    if sum(map(cell_len, names)) + sum(map(cell_len, values)) <= left:
        return list(zip(names, values, strict=True))
    if len(names) == 1:
        return [(shortened(names[0], left - cell_len(values[0])), values[0])]
    names = [name.replace("self.", "") for name in names]
    most = max(map(cell_len, names))
    while most > 4 and sum(min(cell_len(name), most) for name in names) > left:
        most -= 1
    return [(shortened(name, most), "") for name in names]


def _value(frame: WalkFrame, asked: RecordedNumber) -> str:
    """A number behind its name; of one that is written in the program the name is the number."""
    if asked.number in frame.walk.record.constants and not asked.gradient:
        return ""
    return f" {number(frame.walk.terms.value(asked), 9, 4, trim=True)}"


def _before(term: NumberTerm) -> str:
    """What stands before the numbers of a term: its function, or the number that multiplies them."""
    if term.function:
        return f"{term.function} of "
    if term.scale == 1.0 or not term.factors:
        return ""
    return "−" if term.scale == -1.0 else f"{number(term.scale, 9, 4, trim=True)} × "


def _chosen(frame: WalkFrame, canvas: Canvas, room: int) -> None:
    """The number that enter follows: its derivative here, and the line that made it."""
    look, place = frame.look, frame.followed
    factor = frame.numbers[place]
    shares = [share for term in frame.terms[:SHOWN_TERMS] for share in term.shares]
    share = f"d(this)/d(it) = {number(shares[place], 10, 5, trim=True)}" if place < len(shares) else ""
    text = (
        frame.named("`enter`: ")
        + f"{shortened(name_of(frame, factor), max(12, room - cell_len(share) - 10))} · {share}"
    )
    canvas.text(2, canvas.height - 2, shortened(text, room), look.accent)
