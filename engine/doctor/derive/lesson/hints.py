"""Hints, one at a time: the first quantity of a backward pass that is wrong or missing, what feeds it, its rule as a question, its line."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from engine.doctor.derive.derived import Derived, DerivedLine, shape_text
from engine.doctor.report.report import Report
from engine.text import clean

MOST = 4
"""The last hint is the line itself."""


@dataclass(frozen=True)
class HintedLine:
    """What the hints are about: a quantity, where the program makes it wrong (None where it is missing), what feeds it, its rule, and the
    line that makes it right."""

    name: str
    shape: str
    wrong_at: int | None
    fed_by: tuple[str, ...]
    why: str
    line: str


def hint(derived: Derived, text: str, number: int, report: Report | None = None) -> str:
    """Hint 1, 2, 3 or 4. `text` is the program's, `report` what the doctor says of its own backward pass, where it has one."""
    one = _wrong(derived, text, report) or _missing(derived, text)
    if one is None:
        return "nothing is missing: the program makes all that its backward pass needs\n"
    shape = f" {one.shape}" if one.shape else ""
    return (
        f"first {'wrong' if one.wrong_at else 'missing'}: {one.name}{shape}"
        + (f", line {one.wrong_at}\n" if one.wrong_at else "\n"),
        "it is fed by\n" + "".join(f"  {line}\n" for line in one.fed_by),
        f"{one.why}\n",
        f"{one.line}\n",
    )[number - 1]


def _missing(derived: Derived, text: str) -> HintedLine | None:
    """The first quantity of the derived backward pass that the program does not make."""
    made = _made(text)
    lines = derived.lines
    first = next((o for o in lines if o.makes and o.kind in ("back", "head") and o.makes not in made), None)
    if first is None:
        return None
    return _hinted(first, lines, text, None)


def _wrong(derived: Derived, text: str, report: Report | None) -> HintedLine | None:
    """What the doctor's first diagnosis is about."""
    if report is None or report.verdict != "wrong":
        return None
    found = next((d for d in report.diagnoses if d.place is not None), None)
    place = found.place if found is not None else report.first_wrong
    if place is None:
        return None
    source = text.split("\n")[place.line - 1].strip()
    lines = derived.lines
    name = _target(source)
    same = next((line for line in lines if line.makes == name), None)
    if same is not None and not (found is not None and found.fix):
        return _hinted(same, lines, text, place.line)
    why = f"{found.title}. What should {name} be then?" if found is not None else place.why or "its rule is not known"
    fed = tuple(_made_of(_names(source), text, place.line - 1))
    shape = shape_text(same.shape) if same is not None else ""
    return HintedLine(name, shape, place.line, fed, clean(why, 300), found.fix if found is not None else "")


def _hinted(line: DerivedLine, lines: Sequence[DerivedLine], text: str, wrong_at: int | None) -> HintedLine:
    forward = text.split("\n")[line.of - 1].strip() if line.of else ""
    whole = [one for one in _together(line, lines) if one.of == line.of]
    read = set[str]().union(*(_names(one.text) for one in whole)) - {line.makes}
    fed = [f"line {line.of}: {clean(forward, 120)}"] if forward else []
    fed += [one for one in _made_of(read, text, line.of or 0) if one not in fed]
    made = {one.makes: one for one in lines if one.makes in read}
    fed += [f"{name} {shape_text(one.shape)}".strip() for name, one in made.items()]
    return HintedLine(
        line.makes,
        shape_text(line.shape),
        wrong_at,
        tuple(fed),
        _asked(line, forward, _made(text)),
        "\n".join(o.text.strip() for o in whole),
    )


def _together(line: DerivedLine, lines: Sequence[DerivedLine]) -> Iterator[DerivedLine]:
    """A line, and those right after it that go on with what it makes."""
    for one in lines[list(lines).index(line) :]:
        if one.makes != line.makes:
            return
        yield one


def _asked(line: DerivedLine, forward: str, theirs: Collection[str]) -> str:
    """The rule as a question: what is right of its sign of equality, or its colon, is left open. `theirs` are the program's own names."""
    what = line.makes.removeprefix("d")
    if line.kind == "head":
        output = line.why.partition(":")[0]
        into = what if what in theirs or not output.startswith(("softmax", "sigmoid")) else "what goes into it"
        return f"{output}: what is dL/d({into}), written with the output and the target?"
    asked = (
        f"line {line.of} is {clean(forward, 120)}: what is dL/d({what}), when dL/d of what that line makes is known?"
    )
    left, is_, _ = line.why.partition("=")
    return f"{asked}  ({left.strip()} = ?)" if is_ else asked


def _made_of(read: set[str], text: str, before: int) -> Iterator[str]:
    """The lines that make what is read, those up to a line; of an array that is filled those that fill it."""
    targets = [_target(line.strip()) for line in text.split("\n")[:before]]
    filled = {name.partition("[")[0] for name in targets if "[" in name}
    for number, (line, name) in enumerate(zip(text.split("\n"), targets, strict=False), 1):
        if (name in read and name not in filled) or ("[" in name and name.partition("[")[0] in read):
            yield f"line {number}: {clean(line.strip(), 120)}"


def _target(source: str) -> str:
    """The name that a line of a program writes; "" where it writes none."""
    try:
        statement = ast.parse(source).body[0]
    except (SyntaxError, ValueError, IndexError):
        return ""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return ast.unparse(targets[0]) if targets[0] is not None else ""


def _names(source: str) -> set[str]:
    try:
        tree = ast.parse(source.strip())
    except (SyntaxError, ValueError):
        return set()
    return {ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Name | ast.Attribute | ast.Subscript)}


def _made(text: str) -> set[str]:
    """The names, attributes and entries that a program writes."""
    made = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name | ast.Attribute | ast.Subscript))
    return {ast.unparse(n) for n in made if isinstance(n.ctx, ast.Store)}
