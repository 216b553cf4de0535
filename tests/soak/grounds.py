"""The apps that hands are let loose on: models of every kind, a program of the user's own, walks, lessons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.lessons.lesson import lesson_names, read_lesson
from engine.session import open_session
from rnn_tui.app import DebuggerApp, ThemedApp, WalkApp
from rnn_tui.screens.lessons.opening import opened
from tests.engine.doctor.reports import opened as examined
from tests.engine.doctor.walk.programs import corrected_one, forward_only
from tests.rnn_tui.combinations import Model, models

Opens = Callable[[Path], ThemedApp]
YOURS = (Path(__file__).parents[1] / "engine/doctor/specimens/forward_beside.py").read_text(encoding="utf-8")


def _yours(folder: Path) -> ThemedApp:
    file = folder / "mine.py"
    file.write_text(YOURS.replace("dh = dz @ W_rec.T", "dh = dz @ W_rec"), encoding="utf-8")
    return DebuggerApp(*examined(file))


def _lesson(name: str) -> Opens:
    def opens(folder: Path) -> ThemedApp:
        lesson = read_lesson(lesson_names()[name])
        return DebuggerApp(opened(lesson), learn=lesson, lang="zh")

    return opens


def _model(model: Model) -> Opens:
    return lambda folder: DebuggerApp(model.open(folder))


GROUNDS: dict[str, Opens] = {
    "built-in": lambda folder: DebuggerApp(open_session(None, {})),
    "16-colours": lambda folder: DebuggerApp(
        open_session("sunspots", {"cell": "gru", "notation": "pytorch"}), mode="16", theme="light"
    ),
    "long": lambda folder: DebuggerApp(open_session("vanishing", {"hidden": 32, "memory-limit": 8 << 20})),
    "rates": lambda folder: DebuggerApp(open_session(None, {"lr": 1e3, "optimizer": "momentum"}), mode="none"),
    "yours": _yours,
    "walk": lambda folder: WalkApp(corrected_one()),
    "forward-only": lambda folder: WalkApp(forward_only()),
    **{f"lesson-{name}": _lesson(name) for name in ("walk", "vanishing")},
    **{f"model-{number}": _model(model) for number, model in enumerate(models())},
}
