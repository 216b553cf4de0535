"""Eight questions that people bring, each answered with at most 15 keys that the README names."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from textual.widgets import Input

from engine.session import open_session
from rnn_tui.render.numbers import number
from tests.rnn_tui.test_app import Driven, running

pytestmark = pytest.mark.usefixtures("plain_environment")
MOST = 15
ROOT = Path(__file__).parents[2]


def signals(path: Path) -> Path:
    """12 samples, 8 steps of 2 features, 3 classes."""
    rng = np.random.default_rng(11)
    rows = [
        (*np.round(rng.normal([0.4, -0.5, 0][b % 3], 0.8, 16), 2), ("low", "mid", "high")[b % 3]) for b in range(12)
    ]
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return path


class Reader:
    """Someone at the keys: what is pressed is counted, what is typed into a dialog letter by letter, too."""

    def __init__(self, driven: Driven) -> None:
        self.driven = driven
        self.keys = 0

    async def press(self, *keys: str) -> str:
        """Keys by their names; a text goes into the dialog that is open. What is on the screen then."""
        for key in keys:
            field = self.driven.app.screen.query(Input)
            if field and key not in ("enter", "right"):
                field.first(Input).value = key
                await self.driven.pilot.pause()
                self.keys += len(key)
            else:
                await self.driven.pilot.press(key)
                self.keys += 1
        await self.driven.pilot.pause()
        return self.driven.text()

    async def begin(self) -> None:
        """At the start, with the keys counted from there."""
        assert self.keys <= MOST, self.keys
        self.keys = 0
        self.driven.controller.turn_to("program")
        await self.driven.go(0)


async def test_each_question_takes_few_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"timesteps": 8, "hidden": (6,), "activation": "tanh", "seed": 4}
    session = open_session(str(signals(tmp_path / "signals.csv")), options)
    tape = session.debugger.tape(0)
    async with running(session) as driven:
        reader = Reader(driven)

        # da at step 3, sample 2, unit 4, and the largest product in it
        text = await reader.press("g", "da@3[2,4]", "enter")
        products = tape["dz"][3][2] * tape.parameters["Wa"][4]
        largest = int(np.abs(products).argmax())
        assert re.search(r"da@3\[2,4\] = [−\d]", text)
        assert re.search(rf"sum of 6 terms\S* .*\n│ dz@4\[2,{largest}\] · Wa\[4,{largest}\] = ", text)

        # the step at which ‖da‖ first falls below a tenth, and which factor did it
        await reader.begin()
        text = await reader.press("g", "norm(da)<.1", "enter")
        t = max(t for t in range(9) if np.linalg.norm(tape["da"][t]) < 0.1)
        assert f"da@{t} " in text and re.search(rf"{t + 1}→{t} +[\d.]+ +[\d.]+×", text)

        # by looking: view 2 lists each step with its factors and the norm that is left, and its flow before anything is run
        await reader.begin()
        text, norm = await reader.press("2"), float(np.linalg.norm(tape["da"][t]))
        assert re.search(rf"{t + 1}→{t} +[\d.]+ +[\d.]+×[\d.]+ +{number(norm, 7, 2)} ", text)

        # which step and which sample give most of dWa[1,3]
        await reader.begin()
        text = await reader.press("g", "dWa[1,3]", "enter")
        assert "by step: t = " in text and "by sample: " in text  # below the cursor already
        text = await reader.press("enter")
        addends = tape["a"][:-1, :, 1] * tape["dz"][:, :, 3]
        step, sample = (int(np.abs(addends.sum(axis=axis)).argmax()) for axis in (1, 0))
        assert f"by step: t = {step + 1} " in text and f"by sample: {sample} " in text
        (line,) = re.findall(r"by step: (.*?) *│", text)  # what is not named is added up: nothing is left out unsaid
        (others,) = re.findall(r" · the other (\d+): ", line)
        assert line.count("t = ") + int(others) == 8

        # is sample 5 predicted right, with which probability
        await reader.begin()
        p, meant = tape["p"][5], int(tape.at("y", 8)[5])
        verdict = "✓" if p.argmax() == meant else "✗"
        for place in ("p[5]", "sample 5"):
            text = await reader.press("g", place, "enter")
            assert f"sample 5: predicted {session.data.classes[p.argmax()]} {p.max():.3f} {verdict}" in text
            await reader.begin()
        driven.controller.choose(sample=None)

        # did the loss fall in the last update, and by how much
        await reader.begin()
        fell = session.debugger.tape(1).loss - tape.loss
        for keys in (("i",), ("f", "f")):  # the header says it before the loss is reached, too
            text = await reader.press(*keys)
            assert fell < 0 and f"(fell {-fell:.3g}"[:9] in text
        assert "since iteration 0" in text

        # stop where max|dz| < 0.001 in the next iteration
        await reader.begin()
        below = np.abs(session.debugger.tape(1)["dz"]).max(axis=(1, 2)) < 1e-3
        for typed in ("max|dz|", "max|dz|<1e-3"):
            text = await reader.press("i", "g", typed, "enter")
            assert "iteration 1" in text and f"dz@{np.flatnonzero(below).max() + 1} " in text
            await reader.begin()

        # the program in Karpathy's names, saved
        await reader.begin()
        await reader.press("N", "N", "x", "k.py", "enter")
        assert "Why" in (tmp_path / "k.py").read_text(encoding="utf-8")

        # what is wrong in mine.py
        await reader.begin()
        shutil.copy(ROOT / "docs" / "mine.py", tmp_path)
        await reader.press("r", "mine.py", "enter")
        await driven.app.workers.wait_for_complete()
        await driven.pilot.pause()
        assert "✗ line 29: the recurrent weights are not transposed on the way back" in driven.text()
        await reader.begin()
