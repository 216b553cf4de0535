"""A screen of panes that show one frame: keys and clicks become calls on what steers it, which makes the next frame."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Region
from textual.message_pump import _MessagePumpMeta
from textual.reactive import reactive
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Static
from textual.widgets._toast import ToastRack

from rnn_tui.kept.settings import remapped
from rnn_tui.keys.bindings import with_keys
from rnn_tui.keys.command import Command
from rnn_tui.screens.layout import SMALLEST
from rnn_tui.screens.ticker import Ticker
from rnn_tui.shown.look import Look
from rnn_tui.shown.targets import Press
from rnn_tui.widgets.pane import Columns, Draw, Pane, Rows

if TYPE_CHECKING:
    from rnn_tui.screens.dialogs.dialog import Dialog, Result

Panes = Mapping[str, Draw]
"""What draws each pane, by the pane's name."""


UNTIL_DONE = 3600
"""Seconds for which it is said what is going on."""
_LISTED, _ROWS = ("list_down", "list_up"), ("cell(1,0)", "cell(-1,0)")
WHEELS = {
    "listing": _LISTED,
    "source": _LISTED,
    "why": _ROWS,
    "findings": _ROWS,
    "weights": _ROWS,
    "training": ("cell(0,1)", "cell(0,-1)"),
}
"""What the wheel does over a pane, down and up, where it does not move from time step to time step."""


class Steering(Protocol):
    """What a screen's calls go to. A call gives False where it changed nothing."""

    running: bool
    look: Look

    @property
    def rate(self) -> int:
        """How many lines a second are run while it is running."""
        ...

    def refresh(self) -> object:
        """Makes the frame of the present state."""
        ...

    def tick(self) -> object:
        """One line on while it is running."""
        ...

    def run_faster(self, by: int) -> bool | None:
        """The next higher or lower rate."""
        ...

    def click(self, target: object, x: int, y: int) -> bool | None:
        """A click on what a drawing has made clickable."""
        ...

    def copied(self) -> tuple[str, str] | None:
        """What is copied of the place at the cursor: what it is called, and its text; None where there is nothing."""
        ...

    def copied_all(self) -> tuple[str, str] | None:
        """The same of the whole picture."""
        ...


def keys_of(commands: Iterable[Command]) -> list[Binding]:
    """The bindings of a screen; the app's own are the app's."""
    return [
        Binding(command.keys, command.action, command.help, show=False, id=command.name)
        for command in commands
        if not command.action.startswith("app.")
    ]


class _AbstractScreen(_MessagePumpMeta, ABCMeta):
    """Textual's own kind of class, of which methods may be abstract."""


class PanedScreen(Screen[None], metaclass=_AbstractScreen):
    """Panes above and below a body of two columns, all of one frame."""

    frame: reactive[Any] = reactive(None, init=False, repaint=False)
    """The frame that is shown."""

    def __init__(self, look: Look, commands: tuple[Command, ...], keys: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._look = look
        self.keys = keys or {}
        self.commands = remapped(commands, self.keys)
        """What can be done, with the keys that the user's settings give."""
        self._run = Ticker(self, self._run_on)
        self._blank: dict[int, Strip] = {}
        self._panes: list[Pane] = []

    @property
    @abstractmethod
    def steering(self) -> Steering:
        """What calls go to."""

    @abstractmethod
    def _arrange(self) -> None:
        """Shares the space out."""

    def _say(self, text: str, seconds: float = 4) -> None:
        """Says something in the place of what was said before: one sentence covers less than two."""
        self.app.clear_notifications()
        self.notify(with_keys(text, self.commands), markup=False, timeout=seconds)

    def _say_doing(self, text: str) -> None:
        """Says what is going on, until `app.clear_notifications` or the next sentence ends that."""
        self._say(text, UNTIL_DONE)

    def composed(self, above: Panes, left: Panes, right: Panes, below: Panes) -> ComposeResult:
        """The panes, and what is said where the window is too small for them."""

        def made(panes: Panes) -> list[Pane]:
            those = [Pane(draw, id=name) for name, draw in panes.items()]
            self._panes += those
            return those

        yield from made(above)
        with Columns(id="body"):
            with Rows(id="left"):
                yield from made(left)
            with Rows(id="right"):
                yield from made(right)
        yield from made(below)
        needs = f"rnn-tui needs {SMALLEST[0]}×{SMALLEST[1]} characters\nmake the window larger, or press `q`"
        yield Static(Content(with_keys(needs, self.commands)), id="small")

    def render_lines(self, crop: Region) -> list[Strip]:
        """The background where no pane is (none, but for a window that is too small), made once a width."""
        if crop.width not in self._blank:
            self._blank[crop.width] = Strip.blank(crop.width, self._look.canvas)
        return [self._blank[crop.width]] * crop.height

    def restyle(self, look: Look) -> None:
        """Draws everything anew in another look."""
        self._look = self.steering.look = look
        self._blank = {}
        self.show()

    def on_resize(self) -> None:
        """Shares the space out anew."""
        self._arrange()
        self.watch_frame()

    def watch_frame(self) -> None:
        """Hands the frame to the panes that are shown; another gets it when it is, and until then holds no recording."""
        for pane in self._panes:
            given = self.frame if pane.display else None
            if pane.frame is not given:
                pane.frame = given

    def show(self, moved: bool | None = None) -> None:
        """Takes the new frame after a call; rings the bell when the call changed nothing."""
        self._present(self.steering.refresh(), moved)

    def act(self, call: Callable[[], bool | None]) -> None:
        """Makes a call, and shows what comes of it."""
        self.show(call())

    def _present(self, frame: object, moved: bool | None) -> None:
        self._arrange()  # first: a pane that this frame has nothing for shall not draw it
        self.frame = frame
        self._run.keep(1 / self.steering.rate if self.steering.running else None)
        if moved is False:
            self.app.bell()

    def _say_above(self, lines: int) -> None:
        """What is said stands above so many lines, which are below the body."""
        for rack in self.query(ToastRack):
            rack.styles.margin = (0, 0, lines, 0)

    # Running

    def action_run(self) -> None:
        """Starts running, or pauses."""
        self.steering.running = not self.steering.running
        self.show()

    def action_faster(self) -> None:
        """The next higher speed."""
        self.show(self.steering.run_faster(1))

    def action_slower(self) -> None:
        """The next lower speed."""
        self.show(self.steering.run_faster(-1))

    def _run_on(self) -> None:
        if not self._behind():
            self.act(self._tick)

    def _tick(self) -> None:
        self.steering.tick()

    def _behind(self) -> bool:
        """Whether a slow terminal has not got all yet: what waits to be written would only make "pause" come late."""
        writer = getattr(getattr(self.app, "_driver", None), "_writer_thread", None)
        return writer is not None and not writer._queue.empty()

    # Dialogs, the mouse, the end

    def _open(self, dialog: Dialog[Result], answered: Callable[[Result], bool | None] | None = None) -> None:
        """Opens a dialog; its answer, if it has one, goes into a call."""

        def closed(answer: Result | None) -> None:
            if answered is None or answer is None:
                self.show()
            else:
                self.act(partial(answered, answer))

        self.steering.running = False
        self.show()
        dialog.commands = self.commands
        self.app.push_screen(dialog, closed)

    async def on_pane_clicked(self, message: Pane.Clicked) -> None:
        """A click does what the key would."""
        if isinstance(message.target, Press):
            await self.run_action(message.target.action)
        elif self.check_action("click", ()):
            self.act(lambda: self.steering.click(message.target, message.x, message.y))

    async def on_pane_wheeled(self, message: Pane.Wheeled) -> None:
        """The wheel does what a key would: in lists and explanations it moves the cursor, elsewhere through time."""
        forwards, backwards = WHEELS.get(message.pane, ("next", "previous"))
        await self.run_action(forwards if message.step > 0 else backwards)

    def action_quit(self) -> None:
        """Ends the program."""
        self.app.exit()
