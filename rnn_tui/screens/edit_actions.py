"""What the debugger's screen does about what ifs: sets a number, and takes it back."""

from __future__ import annotations

from collections.abc import Callable

from rnn_tui.screens.files import FileActions


class EditActions(FileActions):
    """The debugger's screen: edits numbers."""

    def action_set_cell(self) -> None:
        """Asks for a new value of the cell under the cursor."""
        self._edit(self.controller.edits.set_cell)

    def action_change_weight(self) -> None:
        """Asks for a new value of the weight under the cursor, or of one that leads from step to step."""
        self._edit(self.controller.edits.change_weight)

    def action_replace_activation(self) -> None:
        """Asks for another activation."""
        self._edit(self.controller.edits.replace_activation)

    def action_flip_label(self) -> None:
        """Another label for the sample under the cursor."""
        self._edit(self.controller.edits.flip_label)

    def action_zero_gradient(self) -> None:
        """The gradient under the cursor, or of what is under it, becomes zero at this time step."""
        self._edit(self.controller.edits.zero_gradient)

    def action_cut_flow(self) -> None:
        """Nothing flows back from this time step to the one before."""
        self._edit(self.controller.edits.cut_flow)

    def _edit(self, begin: Callable[[], str | None]) -> None:
        """Has the text that an edit begins with typed to its end; None: nothing is left to be typed."""

        def ask() -> None:
            if (text := begin()) is not None:
                from rnn_tui.screens.dialogs.what_if import EditScreen

                control = self.controller
                spelling = control.writer.spelling
                self._open(EditScreen(text, control.edits.edit, control.debugger, spelling), self._edit_on)

        self.act(ask)

    def _edit_on(self, text: str) -> None:
        """Makes an edit that takes long."""
        if text:
            self.controller.edits.edit(text)

    def action_undo_edit(self) -> None:
        """Takes the last edit back."""
        self.act(self.controller.edits.undo)

    def action_beside(self) -> None:
        """Shows the original and the difference beside the numbers, or no longer."""
        self.act(self.controller.edits.beside)
