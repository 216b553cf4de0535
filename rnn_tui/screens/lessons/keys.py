"""The keys of a lesson, on every screen that one can be played on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnn_tui.screens.saves import Saves

if TYPE_CHECKING:
    from rnn_tui.lessons.guide import Guide


class LessonKeys(Saves):
    """A screen with a lesson, or without one."""

    guide: Guide | None = None
    """The lesson that goes on."""

    async def action_lesson_next(self) -> None:
        """The next step of the lesson; after the last one another lesson."""
        if self.guide is not None and self.guide.over:
            await self.run_action("lessons")
        elif self.guide is not None:
            self.show(self.guide.next())
            await self._press()

    async def action_lesson_back(self) -> None:
        """The step of the lesson before."""
        if self.guide is not None:
            self.show(self.guide.back())
            await self._press()

    def action_hint(self) -> None:
        """One more hint."""
        if self.guide is not None:
            self.show(self.guide.hint())

    async def _press(self) -> None:
        """Presses what the step presses."""
        from rnn_tui.screens.lessons.opening import PRESSED

        for key in self.guide.step.press if self.guide is not None else ():
            await self.run_action(PRESSED[key].action)

    def lesson_works(self, action: str) -> bool | None:
        """Whether a lesson's key does something now; None: it is no key of a lesson."""
        match action:
            case "answer":
                return self.guide is not None and self.guide.asking
            case "lesson_next" | "lesson_back" | "hint":
                return self.guide is not None
            case _:
                return None
