"""What every screen of panes does with files and the clipboard: saves what is on it, copies the numbers at the cursor."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError
from rnn_tui.screens.paned import PanedScreen

if TYPE_CHECKING:
    from rnn_tui.kept.saving import Shown, ShownWalk


class Saves(PanedScreen):
    """A screen that can be saved, and copied from."""

    @property
    @abstractmethod
    def shown(self) -> Shown | ShownWalk:
        """What is on this screen, whatever stands over it."""

    def action_save(self, name: str = "") -> None:
        """Asks for a name and saves what its ending says."""
        from rnn_tui.screens.dialogs.file_dialogs import SaveScreen

        self.app.clear_notifications()  # what was said last is no part of the picture
        self._open(SaveScreen(name, self.shown.kinds), self._save)

    def _save(self, path: Path) -> None:
        from rnn_tui.kept.saving import save

        try:
            self._say(save(path, self.shown))
        except InputError as error:
            self._say(str(error))

    def action_copy(self) -> None:
        """The number at the cursor to the clipboard."""
        self._copy(self.steering.copied())

    def action_copy_all(self) -> None:
        """The whole picture at the cursor to the clipboard."""
        self._copy(self.steering.copied_all())

    def _copy(self, copied: tuple[str, str] | None) -> None:
        if copied is None:
            self._say("There is no number at the cursor to copy.")
            return
        what, text = copied
        self.app.copy_to_clipboard(text)
        self._say(f"copied {what}")
