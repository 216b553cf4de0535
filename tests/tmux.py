"""Programs in a real terminal: tmux on a private socket, of fixed size, with an environment of its own.

    with Tmux() as terminal:
        terminal.start("rnn-tui", width=80, height=24)
        terminal.wait_for("forward")
        terminal.keys("q")
        assert terminal.wait_for_exit() == 0

Nothing sleeps blindly: every wait polls the screen until a deadline and then fails with what was on it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
POLL = 0.02
DEFAULT_TIMEOUT = 60.0
_STATE = ("alternate_on", "mouse_any_flag", "cursor_flag", "pane_dead", "pane_dead_status")


class Tmux:
    """One terminal. `start` may be called once; everything dies with `kill` or the end of the `with` block."""

    def __init__(self) -> None:
        # A folder of its own: tmux leaves the socket's file behind.
        self._folder = Path(tempfile.mkdtemp(prefix="rnn-tui-"))
        self._environ: dict[str, str] = {}

    def __enter__(self) -> Tmux:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(
        self,
        command: str,
        width: int = 80,
        height: int = 24,
        environ: Mapping[str, str] | None = None,
        term: str = "tmux-256color",
    ) -> None:
        """Run a shell command line in the project's root.

        When it has ended, `[exit N]` and `stty -a` are printed below what it left, on the same terminal, which stays
        open: tmux reports no cursor for a dead pane. `environ` is added to a small environment that owes nothing to
        the caller's but the path.
        """
        self._environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
            "HOME": os.environ.get("HOME", "/"),
            "XDG_CONFIG_HOME": str(self._folder),
            "XDG_STATE_HOME": str(self._folder),
            "SHELL": "/bin/sh",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
            "TEXTUAL_ANIMATIONS": "none",
            **(environ or {}),
        }
        script = f"{command}\nprintf '\\n[exit %s]\\n' $?; stty -a; echo '[end]'; exec cat"
        settings = ["set", "-g", "remain-on-exit", "on", ";", "set", "-g", "default-terminal", term, ";"]
        size = ["-x", str(width), "-y", str(height), "-c", str(ROOT)]
        self._tmux("-u", "start-server", ";", *settings, "new-session", "-d", *size, f"sh -c {shlex.quote(script)}")

    def keys(self, *keys: str) -> None:
        """Press keys by tmux's names: `q`, `Enter`, `C-z`, `Left`."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type text as it stands."""
        self._tmux("send-keys", "-l", text)

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def screen(self, *, colors: bool = False) -> str:
        """What is to be seen, a line a row; with escape sequences if `colors`."""
        return self._tmux("capture-pane", "-p", *(["-e"] if colors else []))

    def state(self) -> dict[str, int | None]:
        """The terminal's modes and whether the pane's command is dead; None for what has no value (yet)."""
        answer = self._tmux("display-message", "-p", " ".join(f"{name}=#{{{name}}}" for name in _STATE))
        pairs = (pair.partition("=") for pair in answer.split())
        return {name: int(value) if value else None for name, _, value in pairs}

    def wait_for(
        self, wanted: str | re.Pattern[str] | Callable[[str], object], timeout: float = DEFAULT_TIMEOUT
    ) -> str:
        """Poll until the screen contains the text, matches the pattern or satisfies the predicate; the screen then."""
        deadline = time.monotonic() + timeout
        while True:
            screen = self.screen()
            if _matches(wanted, screen):
                return screen
            if time.monotonic() > deadline:
                raise AssertionError(f"not seen in {timeout} s: {wanted!r}; state {self.state()}; screen:\n{screen}")
            time.sleep(POLL)

    def wait_for_still(self, wanted: str | re.Pattern[str] | Callable[[str], object]) -> str:
        """`wait_for`, and then until the screen no longer changes: panes are painted one after the other."""
        screen = self.wait_for(wanted)
        while True:
            time.sleep(10 * POLL)
            now = self.screen()
            if now == screen:
                return screen
            screen = now

    def wait_for_exit(self, timeout: float = DEFAULT_TIMEOUT) -> int:
        """Wait for the end of the command given to `start`; its exit code."""
        screen = self.wait_for(lambda screen: "[end]" in screen, timeout)
        found = re.search(r"\[exit (\d+)\]", screen)
        assert found, f"no exit code on the screen:\n{screen}"
        return int(found[1])

    def kill(self) -> None:
        """End the server and with it (SIGHUP) all that runs in the terminal."""
        if self._environ:
            self._tmux("kill-server", check=False)
            self._environ = {}
        shutil.rmtree(self._folder, ignore_errors=True)

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        command = ["tmux", "-S", str(self._folder / "socket"), "-f", "/dev/null", *arguments]
        done = subprocess.run(
            command, env=self._environ, capture_output=True, text=True, timeout=DEFAULT_TIMEOUT, check=False
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{shlex.join(command)}: {done.stderr.strip()}")
        return done.stdout


@pytest.fixture
def tmux() -> Iterator[Callable[[], Tmux]]:
    """Makes terminals, as many as wanted; import it into a test module or conftest to use it."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    made: list[Tmux] = []

    def make() -> Tmux:
        made.append(Tmux())
        return made[-1]

    yield make
    for each in made:
        each.kill()


def _matches(wanted: str | re.Pattern[str] | Callable[[str], object], screen: str) -> bool:
    if isinstance(wanted, str):
        return wanted in screen
    if isinstance(wanted, re.Pattern):
        return wanted.search(screen) is not None
    return bool(wanted(screen))
