"""The peer: the smallest Textual app that shows something, and something else after a key."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static

SHOWN = "an empty app"


class EmptyApp(App[None]):
    """One line of text."""

    def compose(self) -> ComposeResult:
        """The line."""
        self.presses = 0
        yield Static(SHOWN)

    def on_key(self) -> None:
        """Changes the line."""
        self.presses += 1
        self.query_one(Static).update(f"{SHOWN} {self.presses}")


if __name__ == "__main__":
    EmptyApp().run()
