"""What the app saves and copies: the screen, an array, the program, a recording, a report; the ending of the file's name says what."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from engine.debug.view import place_text
from engine.debug.whatif import Branch
from engine.errors import InputError
from engine.explain.length import length
from engine.files.writing import place_of, replaced
from engine.language.derive import gradient
from engine.language.functions import Array
from engine.session import Session
from engine.text import clean
from rnn_tui.panes.pictured import pictured
from rnn_tui.render.drawing import svg
from rnn_tui.render.numbers import matrix_text, number
from rnn_tui.show import explained
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.pointed import cell_of_part

if TYPE_CHECKING:
    from textual.strip import Strip

    from rnn_tui.shown.walk_frame import WalkFrame

KINDS = {
    ".svg": "the screen, as a picture",
    ".txt": "the screen, as text",
    ".csv": "the picture at the cursor, as numbers",
    ".npy": "the quantity at the cursor, all its steps",
    ".npz": "the whole iteration, to be opened again",
    ".py": "this model as a plain NumPy program",
    ".html": "a report of this point, with picture and arithmetic",
    ".md": "the same as Markdown",
}
WALK_KINDS = {**{ending: KINDS[ending] for ending in (".svg", ".txt", ".csv")}, ".npy": "the array at the cursor"}
"""What the walk through a program of the user's own saves."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What is on the screen: its rows, the frame they were drawn from, and the session behind it."""

    rows: Sequence[Strip]
    frame: Frame
    session: Session

    kinds: ClassVar[dict[str, str]] = KINDS

    @property
    def place(self) -> str:
        """Where that is."""
        return place_text(self.frame.view.point)

    def picture(self) -> tuple[str, Array]:
        """The label and the numbers of the picture at the cursor. Raises InputError."""
        frame = pictured(self.frame)
        part = None if frame.inspected is None else frame.parts[frame.inspected]
        if part is None or part.values is None:
            raise InputError("there is no picture at the cursor before the first line has run")
        return part.text, part.values

    def quantity(self) -> Array:
        """All rows of the quantity at the cursor, where it is one; else the picture. Raises InputError."""
        _, values = self.picture()
        frame = pictured(self.frame)
        name, tape = frame.parts[frame.inspected or 0].name, frame.view.tape
        return tape[name] if name is not None and name in tape else values

    def content(self, kind: str) -> str | bytes:
        """What is written into a file of a kind. Raises InputError."""
        return _SCREEN[kind](self) if kind in _SCREEN else _SESSION[kind](self)


@dataclass(frozen=True, eq=False)
class ShownWalk:
    """The same of the walk through a program of the user's own."""

    rows: Sequence[Strip]
    frame: WalkFrame

    kinds: ClassVar[dict[str, str]] = WALK_KINDS

    @property
    def place(self) -> str:
        """Where that is."""
        from rnn_tui.panes.walk.run import place_words

        return place_words(self.frame)

    def picture(self) -> tuple[str, Array]:
        """The label and the numbers of the picture at the cursor, as they are arranged on the screen."""
        picture = self.frame.pictures[self.frame.picture]
        return picture.label, picture.matrix

    def quantity(self) -> Array:
        """The array that it is a picture of."""
        return self.frame.pictures[self.frame.picture].values

    def content(self, kind: str) -> str | bytes:
        """What is written into a file of a kind."""
        return _SCREEN[kind](self)


def text(rows: Sequence[Strip]) -> str:
    """Rows of a screen as text."""
    return "".join(f"{row.text.rstrip()}\n" for row in rows)


def where_to(name: str, kinds: Mapping[str, str] = KINDS) -> Path:
    """The file of a typed name; InputError for one that cannot be written, is there already or ends in none of the `kinds`."""
    try:
        path = Path(name.strip()).expanduser()
    except RuntimeError as error:  # ~somebody
        raise InputError(
            f"{clean(name.strip(), 60)} begins with a user who is not there; give the folder itself"
        ) from error
    kind_of(path, kinds)
    if place_of(path).exists():
        raise InputError(f"{clean(path.name)} is there already; give another name")
    return path


def kind_of(path: Path, kinds: Mapping[str, str] = KINDS) -> str:
    """The ending of a file's name; InputError where it says nothing."""
    if path.suffix.lower() not in kinds:
        raise InputError(f"{clean(path.name)} must end in one of {', '.join(kinds)}")
    return path.suffix.lower()


def save(path: Path, shown: Shown | ShownWalk) -> str:
    """Writes a file of the kind that its name says; what was written, in words. Raises InputError."""
    kind = kind_of(path, shown.kinds)
    if kind == ".npz" and isinstance(shown, Shown):
        from engine.files.trace import write_trace

        iteration = shown.frame.view.point.iteration
        meta = {"data": shown.session.data.name, "iteration": iteration, "classes": list(shown.session.data.classes)}
        edits = {"what_if": [edit.text for edit in shown.frame.edits]} if shown.frame.edits else {}
        write_trace(path, shown.frame.view.tape, meta={**meta, "options": dict(shown.session.options), **edits})
    else:
        content = shown.content(kind)
        with replaced(path) as file:
            file.write(content if isinstance(content, bytes) else content.encode())
    return f"wrote {clean(str(path))}: {shown.kinds[kind]}"


def program(shown: Shown) -> str:
    """The model as a NumPy program, in the notation on the screen."""
    from engine.codegen import program_text

    if isinstance(shown.session.debugger, Branch):
        raise InputError("the program would not hold what was set; undo that first")
    options = {**shown.session.options, "notation": shown.frame.writer.spelling.notation.name}
    return program_text(replace(shown.session, options=options))


def _csv(shown: Shown | ShownWalk) -> str:
    label, values = shown.picture()
    return f"# {label}, {shown.place}\n{matrix_text(values, ',')}"


def _npy(shown: Shown | ShownWalk) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, shown.quantity(), allow_pickle=False)
    return buffer.getvalue()


def _sections(shown: Shown) -> list[tuple[str, str]]:
    """A report's sections: headings with plain text."""
    frame, session = shown.frame, shown.session
    spell, tape = frame.writer.spelling.name, frame.view.tape
    norms = "\n".join(
        f"‖{spell(gradient(name))}‖ = {number(length(tape.gradients[name]), trim=True)}"
        for name in frame.view.program.parameters
    )
    state = gradient(frame.output)
    flow = "\n".join(
        f"t = {t:<4} ‖{spell(state)}‖ = {number(float(norm), trim=True)}"
        for t, norm in zip(frame.view.program.steps_of(state), tape.norms(state).tolist(), strict=True)
    )
    found = "\n".join(f"{'!' if one.serious else '·'} {one.kind}: {one.text}" for one in frame.findings or ())
    cell = None if frame.view.position == 0 else cell_of_part(pictured(frame))
    notation = frame.writer.spelling.notation.name
    why = "" if cell is None else explained(session.debugger, cell, 10, notation, lying=True)
    loss = f"\nloss {number(float(tape.loss), trim=True)}"
    what_if = "".join(f"\nwhat if: {edit.text}" for edit in frame.edits)
    return [
        ("Point", f"{place_text(frame.view.point)}{loss}{what_if}"),
        ("The number at the cursor", why),
        ("What is wrong", found),
        ("Gradients of the iteration", norms),
        ("Error by time step", flow),
    ]


def _markdown(shown: Shown) -> str:
    parts = [f"# {_title(shown)}\n", f"```\n{text(shown.rows)}```\n"]
    parts += [f"## {heading}\n\n```\n{body}\n```\n" for heading, body in _sections(shown) if body]
    return "\n".join(parts)


def _html(shown: Shown) -> str:
    import html  # with all its entities

    title = html.escape(_title(shown))
    parts = [f"<h2>{heading}</h2>\n<pre>{html.escape(body)}</pre>" for heading, body in _sections(shown) if body]
    style = (
        "body{font-family:sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}"
        "svg{width:100%;height:auto}pre{white-space:pre-wrap}"
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head>\n'
        f"<body><h1>{title}</h1>\n{svg(shown.rows)}\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _title(shown: Shown) -> str:
    return f"{shown.session.data.name} · {shown.session.description}"


_SCREEN: dict[str, Callable[[Shown | ShownWalk], str | bytes]] = {
    ".svg": lambda shown: svg(shown.rows),
    ".txt": lambda shown: text(shown.rows),
    ".csv": _csv,
    ".npy": _npy,
}
_SESSION: dict[str, Callable[[Shown], str | bytes]] = {".py": program, ".html": _html, ".md": _markdown}
