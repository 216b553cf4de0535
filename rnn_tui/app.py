"""The Textual app: the main screen, and what surrounds it (theme, command palette, exit)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from textual._styles_cache import StylesCache
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.events import Key
from textual.screen import Screen

from engine.notation import NOTATIONS
from engine.session import Session
from rnn_tui.control.memory import memory
from rnn_tui.keys.bindings import WHAT_IF, WITHOUT_KEY
from rnn_tui.render.inks import MODES
from rnn_tui.screens.main import MainScreen
from rnn_tui.screens.paned import PanedScreen
from rnn_tui.shown.look import look
from rnn_tui.terminal.lifecycle import TerminalApp
from rnn_tui.themes import THEMES, colors_of, theme_named

if TYPE_CHECKING:
    from engine.doctor.walk.lockstep import Lockstep
    from engine.doctor.walk.walk import ProgramWalk
    from engine.lessons.lesson import Lesson
    from rnn_tui.screens.dialogs.palette import PaletteEntry

INTERRUPTED = 130
NOTATION, THEME = "Notation", "Theme"

# Textual remembers its results with the cache that asked, and so keeps every widget's rows that ever was.
StylesCache.get_inner_outer = StylesCache.get_inner_outer.__wrapped__  # pyright: ignore[reportAttributeAccessIssue]


class ThemedApp(TerminalApp):
    """What every screen stands in: theme, palette, exit."""

    TITLE = "rnn-tui"
    CSS_PATH = "app.tcss"
    ALLOW_SELECT = False
    """The terminal selects text, with shift. Textual's selection asks for the place of a parent that a closed dialog no longer has."""
    ENABLE_COMMAND_PALETTE = False
    """Textual's; ours is `screens/palette.py`."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "Quit", show=False, priority=True),
        Binding("ctrl+p", "app.palette", "Palette", show=False),
    ]

    def __init__(self, *, mode: str = "truecolor", theme: str = "dark", keys: Mapping[str, str] | None = None) -> None:
        """`keys` are other keys of commands, by the commands' names; see `settings.py`."""
        super().__init__(ansi_color=mode == "16")
        self.keys = dict(keys or {})
        self.set_keymap(self.keys)
        self._mode = MODES[mode]
        self._look = look(self._mode, colors_of(theme_named(theme)))
        for known in THEMES.values():
            self.register_theme(known)
        # Not a change: nothing is drawn yet, and the style sheet would be read twice.
        self.set_reactive(App.theme, theme)
        self.stylesheet.set_variables(self.get_css_variables())

    def on_key(self, event: Key) -> None:
        """Letters that a screen had been given before it opened a dialog, as on a busy machine, are meant for the dialog."""
        if len(self.screen_stack) > 1 and event.is_printable and event.character:
            from rnn_tui.screens.dialogs.dialog import Dialog  # loaded already, if one is open

            if isinstance(self.screen, Dialog):
                self.screen.typed_early(event.character)

    def watch_theme(self, name: str) -> None:
        """Draws everything in the colours of another theme."""
        self._look = look(self._mode, colors_of(theme_named(name)))
        for screen in self.screen_stack:
            if isinstance(screen, PanedScreen):
                screen.restyle(self._look)

    def action_themes(self) -> None:
        """Asks for a theme."""
        from rnn_tui.screens.dialogs.palette import PaletteEntry

        self._choose([PaletteEntry(name, THEME, "", f"app.set_theme({name!r})") for name in THEMES], "theme")

    def action_set_theme(self, name: str) -> None:
        """A theme by its name."""
        self.theme = name

    def choices(self) -> Iterator[PaletteEntry]:
        """What the palette offers on the uppermost screen: all that has a key."""
        from rnn_tui.screens.dialogs.palette import THEME_CHOICE, choice_of

        if isinstance(self.screen, PanedScreen):
            yield from map(choice_of, self.screen.commands)
            yield THEME_CHOICE

    def action_palette(self) -> None:
        """The command palette, where a screen with panes is uppermost."""
        if isinstance(self.screen, PanedScreen):
            self._choose(choice for choice in self.choices() if choice.action != "app.palette")

    def _choose(self, choices: Iterable[PaletteEntry], title: str = "commands") -> None:
        from rnn_tui.screens.dialogs.palette import PaletteScreen  # loaded when it is asked for, like every dialog

        screen = self.screen

        async def chosen(action: str | None) -> None:
            if action is not None:
                await screen.run_action(action)

        self.push_screen(PaletteScreen(choices, title), chosen)

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
        theme: str = "dark",
        keys: Mapping[str, str] | None = None,
        lang: str = "en",
        learn: Lesson | bool = False,
        remembered: Mapping[str, Any] | None = None,
    ) -> None:
        """`lang` is the language of the lessons; `learn` a lesson to begin with, on this session, or True to ask which; `remembered` how
        this session was left, see `control/memory.py`."""
        super().__init__(mode=mode, theme=theme, keys=keys)
        self.session = session
        self.lockstep = lockstep
        self.main = MainScreen(
            session, self._look, lockstep, lang=lang, learn=learn, keys=self.keys, remembered=remembered
        )

    def get_default_screen(self) -> Screen[None]:
        """The debugger's screen."""
        return self.main

    def left(self) -> dict[str, Any] | None:
        """How the session that was opened is left, below a lesson, too; None where other data are open, or nothing was done."""
        controller = self.main.apart_from_lessons
        return memory(controller) if controller.session.data is self.session.data else None

    def choices(self) -> Iterator[PaletteEntry]:
        """What has a key, and what has none: what ifs, notations, themes."""
        if not isinstance(self.screen, MainScreen):
            yield from super().choices()
            return
        from rnn_tui.screens.dialogs.palette import THEME_CHOICE, PaletteEntry, choice_of

        commands = list(map(choice_of, self.screen.commands))
        usual = [PaletteEntry(name, WHAT_IF, "", action, meaning) for action, name, meaning in WITHOUT_KEY]
        others = [
            PaletteEntry(f"Notation: {n.name}", NOTATION, "", f"notation({n.name!r})", n.source)
            for n in NOTATIONS.values()
        ]
        for group in dict.fromkeys(choice.group for choice in (*commands, *others)):
            yield from (choice for choice in (*commands, *usual, *others) if choice.group == group)
        yield THEME_CHOICE


class WalkApp(ThemedApp):
    """rnn-tui on a run of the user's own program."""

    def __init__(
        self, walk: ProgramWalk, *, mode: str = "truecolor", theme: str = "dark", keys: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(mode=mode, theme=theme, keys=keys)
        self.walk = walk

    def get_default_screen(self) -> Screen[None]:
        """The walk's screen."""
        from rnn_tui.screens.walk import WalkScreen  # with the doctor, which the debugger does not wait for

        return WalkScreen(self.walk, self._look, keys=self.keys)
