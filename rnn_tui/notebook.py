"""In a notebook: the debugger's pictures as HTML, since a cell takes no keys."""

from __future__ import annotations

import base64
import sys
from dataclasses import dataclass
from html import escape

from textual.strip import Strip

from engine.debug.view import View
from engine.explain.line_parts import writer_for
from engine.recording.tape import Tape
from engine.session import Session
from rnn_tui.panes.around.strip import draw_strip
from rnn_tui.panes.flow import draw_flow
from rnn_tui.panes.program.listing import draw_listing
from rnn_tui.panes.shared.time_axis import listing_width
from rnn_tui.render.drawing import svg
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.look import look
from rnn_tui.shown.selection import Selection

WIDTH, STRIP, BODY = 120, 4, 23


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def html_of(tape: Tape) -> str:
    """The iteration at its end, as pictures."""
    program = tape.plan.program
    last = program.phase_range("backward").stop
    view = View(last, program.point(last), program.line_at(last), tape, frozenset())
    return f"<p><code>{escape(repr(tape))}</code></p>{_pictures(view)}"


def html_at(view: View) -> str:
    """What can be seen at a point, as pictures."""
    return f"<p><code>{escape(repr(view))}</code></p>{_pictures(view)}"


def _pictures(view: View) -> str:
    """Norms by time step, the program, and the flow of the output state's gradient back through time.

    An image: as text a notebook's fonts would decide how wide each character is, and leave gaps between the rows.
    """
    frame = Frame(view, writer_for(view.tape.plan, "ng"), Selection(page="flow"), look())
    left = listing_width(WIDTH)
    below = zip(draw_listing(frame, left, BODY).strips(), draw_flow(frame, WIDTH - left, BODY).strips(), strict=True)
    rows = [*draw_strip(frame, WIDTH, STRIP).strips(), *(Strip([*listed, *flowing]) for listed, flowing in below)]
    picture = base64.b64encode(svg(rows).encode()).decode()
    return f'<img alt="rnn-tui" width="1000" style="max-width:100%" src="data:image/svg+xml;base64,{picture}">'


@dataclass(frozen=True, eq=False, repr=False)
class NotebookView:
    """What `rnn_tui.debug` gives in a notebook: the same pictures, without the keys."""

    session: Session

    def __repr__(self) -> str:
        return f"<rnn_tui: {self.session.description}; in a terminal rnn_tui.debug opens it>"

    def _repr_html_(self) -> str:
        return html_of(self.session.debugger.tape(0))
