"""A small app to be interrupted: `python -m tests.rnn_tui.terminal.victim [COLOR]`. Its keys are its bindings."""

from __future__ import annotations

import contextlib
import os
import sys

from rnn_tui import terminal


def main() -> int:
    why = terminal.problem(os.environ, sys.stdin, sys.stdout, sys.stderr)
    if why is not None:
        sys.stderr.write(f"victim: {why}\n")
        return 2
    piped = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read().strip()
    mode = terminal.color_mode(sys.argv[1] if len(sys.argv) > 1 else "auto", os.environ)
    terminal.prepare_environment(mode, os.environ)
    code = terminal.run(make_app(f"{mode} {piped}"), mouse=True)
    with contextlib.suppress(OSError):  # the terminal is closed
        os.write(1, f"returned {code}\n".encode())
    return code


def make_app(text: str):
    import asyncio
    import time

    from textual.containers import Vertical
    from textual.widgets import Label

    from rnn_tui.terminal.lifecycle import TerminalApp

    class Victim(TerminalApp):
        CSS = """
        #red { background: #ff0000; color: #0000ff; }
        #quiet { text-style: bold; }
        """
        BINDINGS = [  # noqa: RUF012
            ("q", "leave(0)", "Quit"),
            ("7", "leave(7)", "Quit with 7"),
            ("s", "leave_slowly", "Quit, taking time after the screen is gone"),
            ("x", "crash", "Crash"),
            ("b", "block", "Block the event loop"),
            ("c", "count", "Count"),
            ("h", "hang", "Start a thread that never ends"),
        ]
        count = 0
        seconds_to_unmount = 0.0

        def compose(self):
            with Vertical():
                yield Label(f"ready pid={os.getpid()} {text}")
                yield Label("count 0", id="count")
                yield Label("red ▀█ ±", id="red")
                yield Label("quiet", id="quiet")

        def action_leave(self, code: int) -> None:
            self.exit(return_code=code)

        def action_leave_slowly(self) -> None:
            self.seconds_to_unmount = 0.5
            self.exit()

        async def on_unmount(self) -> None:
            await asyncio.sleep(self.seconds_to_unmount)

        def action_crash(self) -> None:
            secret = "a local variable"
            raise RuntimeError("crashed on \x1b purpose" + secret[:0])

        def action_block(self) -> None:
            for _ in range(300):  # said again and again, as frames still under way may draw over it
                os.write(2, b"\x1b[20;1Hblocked")
                time.sleep(0.2)

        def action_hang(self) -> None:
            self.run_worker(lambda: time.sleep(1000), thread=True)
            self.query_one("#count", Label).update("hangs")

        def action_count(self) -> None:
            self.count += 1
            self.query_one("#count", Label).update(f"count {self.count}")

    return Victim()


if __name__ == "__main__":
    sys.exit(main())
