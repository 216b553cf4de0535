"""The program as people use it: started from a shell in a real terminal, driven by keys."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
from pathlib import Path

import pytest

from tests.tmux import Tmux, tmux

__all__ = ["tmux"]  # the fixture

RUN = f"{shlex.quote(sys.executable)} -m rnn_tui"
START = " start "


def opened(terminal: Tmux, arguments: str = "", width: int = 120, height: int = 36, **options) -> str:
    """Starts the program; its first screen."""
    terminal.start(f"{RUN} {arguments}", width=width, height=height, **options)
    return terminal.wait_for(lambda screen: START in screen and "quit" in screen)


def head(*parts: str):
    """That the title line has all of these parts."""
    return lambda screen: all(part in screen.partition("\n")[0] for part in parts)


def assert_usable(terminal: Tmux, code: int) -> None:
    """It ended with this code, and the terminal is as it was."""
    assert terminal.wait_for_exit() == code
    state = terminal.state()
    assert (state["alternate_on"], state["mouse_any_flag"], state["cursor_flag"]) == (0, 0, 1)
    screen = terminal.screen()
    assert {"echo", "icanon", "isig", "icrnl"} <= set(screen.split())
    assert "rnn-tui  " not in screen
    assert "Traceback" not in screen


@pytest.mark.parametrize(("width", "height"), [(120, 36), (80, 24)])
def test_forward_and_all_the_way_back(tmux, width: int, height: int) -> None:
    terminal = tmux()
    first = opened(terminal, width=width, height=height)
    assert "The error starts at the loss" in first
    assert "many_to_one" in first
    state = terminal.state()
    assert (state["alternate_on"], state["mouse_any_flag"], state["cursor_flag"]) == (1, 1, 0)

    terminal.keys("Right")
    screen = terminal.wait_for_still(lambda s: head("▶ forward", "t = 1")(s) and "▶ z_t = " in s and "z@1[0,0] = " in s)
    assert "z_1 = x_1·Wx + a_0·Wa + ba" in screen or width == 80
    terminal.keys("n")
    terminal.wait_for(head("▶ forward", "t = 2"))
    terminal.keys("f")
    screen = terminal.wait_for_still(
        lambda s: head("▶ forward", "t = 10")(s) and "▶ p = softmax(logits)" in s and "p[0,0] = " in s
    )
    assert re.search(r"  f to loss 0\.\d+", screen.partition("\n")[0])
    terminal.keys("f")
    terminal.wait_for(lambda s: head("● loss", "L 0.7297")(s) and "sum of 10 terms" in s)

    terminal.keys("n")
    terminal.wait_for(head("◀ backward", "t = 10"))
    terminal.keys("n")
    for t in range(9, 0, -1):
        terminal.keys("n")
        screen = terminal.wait_for_still(
            lambda s, t=t: head("◀ backward", f"t = {t} ")(s) and f"da@{t - 1}[0,0] = " in s
        )
    assert "▶ da_{t-1} = dz_t·Waᵀ" in screen
    assert "┈" not in screen.splitlines()[2]
    terminal.keys("Right")
    terminal.wait_for(head("iteration 0", "↻ update", "Wx"))
    terminal.keys("f")
    screen = terminal.wait_for_still(lambda s: head("↻ update", "by")(s) and "by[0] = " in s)
    assert "by ← by − 0.1 · dby" in screen or width == 80
    terminal.keys("Right")
    terminal.wait_for(head("iteration 1", "▶ forward", "t = 1 "))

    terminal.keys("Left")
    terminal.wait_for(lambda s: s == screen)
    for phase in ("◀ backward", "● loss", "▶ forward", START):
        terminal.keys("F")
        if phase == "◀ backward":
            terminal.keys("F")
        terminal.wait_for(head(phase))
    terminal.wait_for(lambda s: s == first)
    terminal.keys("q")
    assert_usable(terminal, 0)


def test_breakpoints_help_and_places(tmux) -> None:
    terminal = tmux()
    opened(terminal)
    terminal.type("g")
    terminal.wait_for("a time step, phase, iteration")
    terminal.type("backward 99")
    terminal.keys("Enter")
    terminal.wait_for("there are the time steps 1 to 10, not 99")
    terminal.keys("C-u")
    terminal.wait_for("enter goes, → completes")  # of the empty line
    terminal.type("dz@7")
    terminal.wait_for("│  dz@7 ")
    terminal.keys("Enter")
    terminal.wait_for(lambda s: head("◀ backward", "t = 7")(s) and "▶ dz_t = " in s)
    terminal.keys("b")
    terminal.wait_for(lambda s: re.search(r"│●\s+▶ dz_t = ", s) and "c C continue" in s)
    terminal.keys("c")
    terminal.wait_for(head("◀ backward", "t = 6"))
    terminal.keys("C")
    terminal.wait_for(head("◀ backward", "t = 7"))
    terminal.keys("C")
    terminal.wait_for(head("◀ backward", "t = 8"))
    terminal.keys("]")
    terminal.wait_for("sample 0: units × time")
    terminal.keys("?")
    terminal.wait_for("rnn-tui: keys")
    terminal.keys("Escape")
    terminal.wait_for(lambda s: "rnn-tui: keys" not in s and head("t = 8")(s))
    terminal.keys("3")
    terminal.wait_for("┌─ weights")
    terminal.keys("2")
    terminal.wait_for(lambda s: "┌─ weights" not in s and "┌─ flow" in s)
    terminal.keys("q")
    assert_usable(terminal, 0)


def test_running_and_pausing(tmux) -> None:
    terminal = tmux()
    opened(terminal)
    terminal.keys("+", "+", "Space")
    terminal.wait_for("pause")
    terminal.wait_for(head("▶ forward", "t = 3"))
    terminal.keys("Space")
    terminal.wait_for("space run")
    terminal.keys("q")
    assert_usable(terminal, 0)


def test_another_example(tmux) -> None:
    terminal = tmux()
    first = opened(terminal, "vanishing")
    assert "vanishing · rnn tanh 1→8→2 · " in first
    assert "Vanishing gradient: the label depends on the first of 40 steps" in first
    terminal.keys("f", "f", "f")
    screen = terminal.wait_for_still(lambda s: head("◀ backward", "t = 1 ")(s) and "gain tanh'×Wa" in s)
    assert "█ 1  ▁ 1e−12 log" in screen
    terminal.keys("q")
    assert_usable(terminal, 0)


def colors_of(terminal: Tmux) -> list[str]:
    codes = re.findall(r"\x1b\[([\d;]*)m", terminal.screen(colors=True))
    return [code for code in codes if re.search(r"(^|;)(3[0-8]|4[0-8]|9\d|10\d)(;|$)", code)]


def test_no_color(tmux) -> None:
    terminal = tmux()
    opened(terminal, environ={"NO_COLOR": "1"})
    terminal.keys("f", "Right")
    terminal.wait_for(head("● loss"))
    terminal.keys("Left", "Left")
    terminal.wait_for("▶ logits = ")
    assert not colors_of(terminal)
    screen = terminal.screen()
    assert "✚" in screen
    assert "━" in screen
    assert "░" in screen
    terminal.keys("q")
    assert_usable(terminal, 0)


@pytest.mark.parametrize(
    ("term", "environ", "wanted", "unwanted"),
    [
        ("screen-256color", {"COLORTERM": "truecolor", "TMUX": ""}, "8;", ""),
        ("tmux-256color", {"COLORTERM": "truecolor"}, "8;2;", "8;5;"),
        ("tmux-256color", {}, "8;5;", "8;2;"),
    ],
)
def test_the_terminals_colours(tmux, term: str, environ: dict[str, str], wanted: str, unwanted: str) -> None:
    terminal = tmux()
    opened(terminal, environ=environ, term=term)
    terminal.keys("f")
    terminal.wait_for("▶ p = softmax(logits)")
    codes = colors_of(terminal)
    assert any(wanted in code for code in codes)
    assert not unwanted or not [code for code in codes if unwanted in code]
    terminal.keys("q")
    assert_usable(terminal, 0)


DEPTHS = {"truecolor": "[34]8;2;", "256": "[34]8;5;", "16": r"(3|4|9|10)[0-79](?!\d)", "none": None}
"""How colours are told to a terminal that has so many."""


def unseen(screen: str) -> str:
    """What is written in the colour of its background, of a screen with its escape sequences; blocks may be of one colour."""
    found, ink, ground = "", "", ""
    for codes, text in re.findall(r"\x1b\[([\d;]*)m([^\x1b]*)", screen):
        for code in re.findall(r"[34]8;2;\d+;\d+;\d+|[34]8;5;\d+|\d+", codes or "0"):
            if code in ("0", "39", "49"):
                ink, ground = ("" if code != "49" else ink), ("" if code != "39" else ground)
            elif re.match(r"3\d|9\d", code):
                ink = code.replace("9", "13", 1) if code.startswith("9") else code
            elif re.match(r"4\d|10\d", code):
                ground = f"13{code[2:]}" if code.startswith("10") else f"3{code[1:]}"
        if ink == ground != "":
            found += "".join(character for character in text if character.isalnum())
    return found


@pytest.mark.parametrize("depth", list(DEPTHS))
def test_every_size_in_every_depth_of_colour(tmux, depth: str) -> None:
    terminal = tmux()
    opened(terminal, f"--color {depth}", width=80, height=24)
    terminal.keys("f", "f", "n", "n")
    for width, height in ((80, 24), (120, 36), (200, 50)):
        terminal.resize(width, height)
        wide = re.compile(rf"^.{{{width - 3},}}$", re.MULTILINE)
        terminal.wait_for_still(lambda s, w=wide: head("◀ backward", "t = 10")(s) and w.search(s) and "quit" in s)
        colored, told = colors_of(terminal), DEPTHS[depth]
        assert [code for code in colored if told is None or not re.search(told, code)] == []
        assert bool(colored) == (depth != "none")
        assert not unseen(terminal.screen(colors=True))
        terminal.keys("d")
        behind = terminal.wait_for_still("enter adds")
        assert "program · backward" in behind
        assert not unseen(terminal.screen(colors=True))
        terminal.keys("Escape")
        terminal.wait_for_still(lambda s: "enter adds" not in s)
    terminal.keys("q")
    assert terminal.wait_for_exit() == 0


def test_inside_gnu_screen_there_are_256_colours(tmux) -> None:
    terminal = tmux()
    terminal.start(f"unset TMUX; TERM=screen-256color COLORTERM=truecolor {RUN}", width=100, height=30)
    terminal.wait_for(START)
    terminal.keys("f")
    terminal.wait_for("▶ p = softmax(logits)")
    codes = colors_of(terminal)
    assert any("8;5;" in code for code in codes)
    assert not [code for code in codes if "8;2;" in code]
    terminal.keys("q")
    assert_usable(terminal, 0)


def test_a_terminal_that_can_do_nothing(tmux) -> None:
    terminal = tmux()
    terminal.start(f"TERM=dumb {RUN}", width=100, height=30)
    assert terminal.wait_for_exit() == 2
    assert "rnn-tui: TERM is dumb" in terminal.screen()


def test_ctrl_c(tmux) -> None:
    terminal = tmux()
    opened(terminal)
    terminal.keys("C-c")
    assert_usable(terminal, 130)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals(tmux, tmp_path: Path, number: int) -> None:
    terminal = tmux()
    process = tmp_path / "pid"
    terminal.start(f"sh -c 'echo $$ > {shlex.quote(str(process))}; exec {RUN}'", width=100, height=30)
    terminal.wait_for(START)
    os.kill(int(process.read_text()), number)
    assert_usable(terminal, 128 + number)


def test_a_table_of_ones_own(tmux, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("1,2,3,4,5,6,up\n6,5,4,3,2,1,down\n2,3,4,5,6,7,up\n")
    terminal = tmux()
    first = opened(terminal, f"{shlex.quote(str(path))} --timesteps 3 --hidden 4 --activation sigmoid")
    assert "mine · rnn sigmoid 2→4→2 · 3 samples · float64" in first
    terminal.keys("f")
    terminal.wait_for(lambda s: head("▶ forward", "t = 3")(s) and "predicted up" in s)
    terminal.keys("q")
    assert_usable(terminal, 0)


@pytest.mark.parametrize(("width", "height"), [(120, 36), (80, 24)])
def test_a_backward_pass_of_ones_own_is_corrected_and_examined_again(
    tmux, tmp_path: Path, width: int, height: int
) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text((Path(__file__).parents[2] / "docs/mine.py").read_text())
    terminal = tmux()
    terminal.start(f"{RUN} {mine}", width=width, height=height)
    screen = terminal.wait_for_still(lambda s: "da = dz @ Wa.T" in s and "≠ differs" in s)
    assert "the recurrent weights are not transposed" in screen and "wrong is this line" in screen
    terminal.keys("Left")
    terminal.wait_for(lambda s: "✓ the same" in s and "line 28" in s)
    terminal.keys("Right", "Enter")
    terminal.wait_for(lambda s: "why · da@" in s)
    terminal.keys("BSpace", "c")
    terminal.wait_for(lambda s: "it reads what is wrong already" in s)
    mine.write_text(mine.read_text().replace("da = dz @ Wa\n", "da = dz @ Wa.T\n"))
    terminal.keys("r")
    terminal.wait_for(lambda s: "The backward pass is right" in s)
    terminal.keys("1")
    terminal.wait_for(lambda s: "this line" in s)
    terminal.keys("q")
    assert_usable(terminal, 0)


def test_a_window_made_small_and_large_again(tmux) -> None:
    terminal = tmux()
    opened(terminal)
    terminal.keys("Right")
    before = terminal.wait_for_still(head("▶ forward", "t = 1"))
    terminal.resize(40, 10)
    terminal.wait_for("rnn-tui needs 60×18 characters")
    terminal.resize(120, 36)
    terminal.wait_for(lambda screen: screen == before)
    terminal.keys("q")
    assert_usable(terminal, 0)


def test_a_click(tmux) -> None:
    terminal = tmux()
    first = opened(terminal)
    lines = first.splitlines()
    steps = next(y for y, line in enumerate(lines) if line.split()[:1] == ["t"])
    x, y = lines[steps].index(" 4 ") + 2, steps + 2
    terminal.type(f"\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m")
    terminal.wait_for(head("▶ forward", "t = 4"))
    terminal.keys("q")
    assert_usable(terminal, 0)


def test_bad_data_is_refused_before_the_screen_is_taken(tmux, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("1,2,0\n3,x,1\n5,6,1\n")
    terminal = tmux()
    terminal.start(f"{RUN} {shlex.quote(str(path))}", width=160, height=20)
    assert terminal.wait_for_exit() == 2
    assert re.search(r"rnn-tui: mine.csv: row 2, column 2 holds 'x'", terminal.screen())
