"""The Textual app: the main screen, and what surrounds it (command palette, title, exit)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.app import SystemCommand
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.theme import Theme

from engine.lessons.lesson import Lesson
from engine.notation import NOTATIONS
from engine.session import Session
from rnn_tui.bindings import COMMANDS, WALK_COMMANDS, WITHOUT_KEY, Command
from rnn_tui.lifecycle import TerminalApp
from rnn_tui.look import BACKGROUND, look
from rnn_tui.screens.main import MainScreen
from rnn_tui.screens.walk import WalkScreen
from rnn_tui.show import MODES

if TYPE_CHECKING:
    from engine.doctor.report.lockstep import Lockstep
    from engine.doctor.walk.walk import ProgramWalk

INTERRUPTED = 130


class ThemedApp(TerminalApp):
    """What every screen stands in: theme, palette, exit."""

    TITLE = "rnn-tui"
    CSS_PATH = "app.tcss"
    ALLOW_SELECT = False
    """The terminal selects text, with shift. Textual's selection asks for the place of a parent that a closed dialog no longer has."""
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_DISPLAY = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "Quit", show=False, priority=True),
    ]

    def __init__(self, *, mode: str = "truecolor", light: bool = False) -> None:
        super().__init__(ansi_color=mode == "16")
        self._look = look(MODES[mode], light)
        name = "rnn-tui-light" if light else "rnn-tui-dark"
        self.register_theme(
            Theme(
                name=name,
                primary="#0b62b5" if light else "#4ea8ff",
                accent="#7a5200" if light else "#ffd75f",
                background=BACKGROUND[light],
                surface=BACKGROUND[light],
                panel="#e9e9ec" if light else "#1a1c21",
                dark=not light,
            )
        )
        self.theme = name

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette: what the walk's screen has; another app adds its own screen's."""
        if isinstance(screen, WalkScreen):
            yield from self.commands_of(screen, WALK_COMMANDS)

    def commands_of(self, screen: Screen[object], commands: tuple[Command, ...]) -> Iterable[SystemCommand]:
        """For the palette: everything that has a key, by its sentence."""
        for command in commands:
            if command.action != "command_palette":
                yield SystemCommand(
                    f"{command.help} ({command.shown})",
                    command.line or command.group,
                    self.runner(screen, command.action),
                )

    @staticmethod
    def runner(screen: Screen[object], action: str) -> Callable[[], Awaitable[None]]:
        """What runs an action of a screen."""

        async def run() -> None:
            await screen.run_action(action)

        return run

    def pop_screen(self) -> AwaitComplete:
        """Takes the uppermost screen away; the palette asks twice when it is closed twice in a row, and then nothing happens."""
        return super().pop_screen() if len(self.screen_stack) > 1 else AwaitComplete.nothing()

    def action_interrupt(self) -> None:
        """Ctrl+C ends the program like the signal would."""
        self.exit(return_code=INTERRUPTED)


class DebuggerApp(ThemedApp):
    """rnn-tui on one session."""

    def __init__(
        self,
        session: Session,
        lockstep: Lockstep | None = None,
        *,
        mode: str = "truecolor",
        light: bool = False,
        lang: str = "en",
        learn: Lesson | bool = False,
    ) -> None:
        """`lang` is the language of the lessons; `learn` a lesson to begin with, on this session, or True to ask which."""
        super().__init__(mode=mode, light=light)
        self.session = session
        self.lockstep = lockstep
        self.lang, self.learn = lang, learn

    def get_default_screen(self) -> Screen[None]:
        """The debugger's screen."""
        return MainScreen(self.session, self._look, self.lockstep, lang=self.lang, learn=self.learn)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette."""
        if not isinstance(screen, MainScreen):
            yield from super().get_system_commands(screen)
            return
        yield from self.commands_of(screen, COMMANDS)
        for action, name, meaning in WITHOUT_KEY:
            yield SystemCommand(name, meaning, self.runner(screen, action))
        for notation in NOTATIONS.values():
            yield SystemCommand(
                f"Notation: {notation.name}", notation.source, self.runner(screen, f"notation('{notation.name}')")
            )


class WalkApp(ThemedApp):
    """rnn-tui on a run of the user's own program."""

    def __init__(self, walk: ProgramWalk, *, mode: str = "truecolor", light: bool = False) -> None:
        super().__init__(mode=mode, light=light)
        self.walk = walk

    def get_default_screen(self) -> Screen[None]:
        """The walk's screen."""
        return WalkScreen(self.walk, self._look)
