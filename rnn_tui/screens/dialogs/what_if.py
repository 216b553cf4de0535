"""The what-if dialog."""

from __future__ import annotations

from collections.abc import Callable

from engine.debug.debugger import Debugger
from engine.debug.pace import TakesLongError
from engine.notation import Spelling
from rnn_tui.screens.dialogs.dialog import WAITS, AskScreen
from rnn_tui.screens.dialogs.of_model import of_model

HELP = """\
= a number, *= a factor, = flip
cells da@3[0,5] · a sample da@3[0,:] · a row da@3 · all steps da
weights Wa[2,3] · labels y[4] = flip · inputs x@2[0,0]
flow@3 = 0: nothing flows back from step 3 · activation = relu
enter runs on with it, esc closes; the original is kept, `u` undoes"""


class EditScreen(AskScreen[str]):
    """Asks for an edit and makes it: `apply` takes the text and raises InputError for an edit that does not fit. What takes long is given
    back, else an empty text.

    Behind `text`, the beginning of an edit, another whole edit may be typed.
    """

    def __init__(self, text: str, apply: Callable[[str], None], debugger: Debugger, spelling: Spelling) -> None:
        def taken(typed: str) -> str:
            further = typed.removeprefix(text)
            edit = further if "=" in further else typed
            try:
                with debugger.pace.within(WAITS):
                    apply(edit)
            except TakesLongError:
                return edit
            return ""

        example, note = (of_model(said, debugger, spelling) for said in ("da@3[0,5] = 0", HELP))
        super().__init__("what if", example, note, taken, text)
