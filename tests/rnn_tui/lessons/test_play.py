"""Every lesson is played to its end in the app, in both languages; wide characters stay aligned; the app stays usable."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from engine.lessons.lesson import lesson_names, read_lesson
from engine.registry import LANGUAGES
from engine.session import open_session
from rnn_tui.lessons.examiner import Examiner
from rnn_tui.lessons.language import WORDS, language
from rnn_tui.lessons.tutor import Tutor
from rnn_tui.panes.around.lesson import folded, lesson_lines
from rnn_tui.screens.walk import WalkScreen
from rnn_tui.shown.look import look
from tests.rnn_tui.test_app import Driven, running, until

pytestmark = pytest.mark.usefixtures("plain_environment")

SOLUTIONS: dict[tuple[str, int], list[str]] = {
    ("walk", 2): ["finish"],
    ("walk", 4): ["next"] * 5,
    ("weights", 3): ["finish", "goto:dWa[2,3]", "enter"],
    ("flows", 4): ["finish"],
    ("vanishing", 3): ["break:da if norm(da) < 1e-3", "continue"],
    ("exploding", 3): ["break:da if norm(da) > 100", "continue"],
    ("lstm", 5): ["goto:dc@5[0,3]", "enter", "enter"],
}
"""What a learner does, by lesson and step."""
ROOM = 24 * 2 // 5 - 2
"""Lines of a card at 80×24."""


def checked(driven: Driven, tutor: Tutor) -> None:
    """The card fits a small window, and every number in it is there."""
    card = driven.controller.frame.lesson
    assert card is not None
    lines = lesson_lines(card, look(), 76)
    place = (tutor.lesson.name, card.place, [line[0][0] for line in lines])
    assert len(lines) <= ROOM, place
    assert all(sum(cell_len(text) for text, _, _ in line) <= 76 for line in lines), place
    texts = " ".join([text for text, _ in card.texts] + [choice.text for choice in card.choices])
    assert not re.search(r"(?<!_)[{]|= \?|(?<![a-z])nan(?![a-z])", texts), place


def asked(driven: Driven) -> list[str]:
    """The question on the card."""
    card = driven.controller.frame.lesson
    assert card is not None
    return [text for text, tone in card.texts if tone == "ask"]


async def solve(driven: Driven, deeds: list[str]) -> None:
    for deed in deeds:
        match deed.split(":", 1):
            case ["break", text]:
                driven.controller.debugger.add(text)
            case ["goto", text]:
                from engine.debug.places import parse_place

                driven.main.show(driven.controller.visit(parse_place(text, driven.controller.debugger)))
            case _:
                await driven.main.run_action(deed)


async def play(driven: Driven, name: str, *, right: bool) -> None:
    """From the first step to the last; guesses are right, or the first wrong one."""
    driven.main.show(driven.main.begin_lesson(read_lesson(lesson_names()[name])))
    await driven.pilot.pause()
    tutor = driven.main.guide
    assert isinstance(tutor, Tutor)
    for number in range(1, len(tutor.lesson.steps) + 1):
        assert tutor.progress.number == number - 1
        checked(driven, tutor)
        if tutor.asking:
            await driven.main.run_action("lesson_next")
            assert tutor.progress.number == number - 1, "guess first"
            wanted, question = tutor.progress.right or 0, asked(driven)
            await driven.main.run_action(f"answer({wanted if right else (wanted + 1) % len(tutor.step.choices)})")
            assert asked(driven) == question, "its numbers stay, also when the answer changes the recording"
            if tutor.step.why and not right:
                assert driven.controller.selection.asked, "a wrong guess is answered through why"
        elif tutor.step.until:
            assert not tutor.progress.done, (name, number)
            for _ in tutor.step.hints:
                await driven.main.run_action("hint")
            checked(driven, tutor)
            await solve(driven, SOLUTIONS[name, number])
            await until(driven.pilot, lambda: driven.main.work is None)
            assert tutor.progress.done, (name, number, driven.controller.frame.stopped)
        checked(driven, tutor)
        if not tutor.over:
            await driven.main.run_action("lesson_next")
    assert tutor.over
    await driven.main.run_action("lesson_back")
    assert tutor.progress.number == len(tutor.lesson.steps) - 2


async def test_every_lesson_can_be_played_to_its_end_in_every_language() -> None:
    session = open_session(None, {})
    for lang, right in zip(LANGUAGES, (False, True), strict=True):
        async with running(session, size=(80, 24), lang=lang) as driven:
            before = driven.text()
            for name, path in lesson_names().items():
                if read_lesson(path).program:
                    continue
                await play(driven, name, right=right)
            rows = driven.rows()
            assert all(cell_len(row) == 80 for row in rows)
            assert WORDS[lang]["lessons"] in driven.text()
            driven.main.show(driven.main.leave_lesson())
            await driven.pilot.pause()
            assert driven.text() == before, "what was open before is there again"


async def test_the_learner_mends_the_program_and_the_lesson_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lesson = read_lesson(lesson_names()["fix"])
    async with running(open_session(None, {}), size=(80, 24), lang="zh", learn=lesson) as driven:
        await until(driven.pilot, lambda: isinstance(driven.app.screen, WalkScreen) and driven.text(), seconds=60)
        screen = driven.app.screen
        assert isinstance(screen, WalkScreen)
        assert screen.examiner is not None
        path, values = tmp_path / "fix.py", screen.examiner.exercise.values("zh")
        assert "wrong: b, Wx, Wh   right: c, Wy" in driven.text(), "which gradients, but not which line"
        assert not screen.walker.walk.report.diagnoses
        assert screen.walker.walk.phase(screen.walker.choice.at) == "loss"
        assert "≠" not in driven.text() and "next wrong" not in driven.text(), "it is to be found"
        await driven.pilot.press(">", "H")
        assert "≠" in driven.text()
        await driven.pilot.press("H", "H", "H")
        assert f"第 {values['line']} 行" in driven.text()
        assert all(cell_len(row) == 80 for row in driven.rows())
        assert not screen.examiner.progress.done
        path.write_text(path.read_text(encoding="utf-8").replace(values["wrong"], "flow = Wh.T @ dz"), encoding="utf-8")
        before = screen.walker
        await driven.pilot.press("r")
        await until(driven.pilot, lambda: screen.walker is not before, seconds=60)
        assert screen.examiner.progress.done
        assert "完成" in driven.text()
        assert values["title"] in driven.text() and "往回走时循环权重没有转置" in values["title"]
        english = Examiner(lesson, "en", screen.examiner.exercise)
        english.take(screen.walker)
        english.next()
        assert "✓ Done. All gradients are right" in english.card().texts[1][0]
        await driven.pilot.press("L")
        await driven.pilot.pause()
        assert "测验" in driven.text(), "the list of lessons, over the debugger"
        await driven.pilot.press("home", "enter")
        await driven.pilot.pause()
        assert driven.main.guide is not None and driven.main.guide.lesson.name == "walk"


async def test_digits_are_guesses_while_a_question_is_open_and_views_else() -> None:
    lesson = read_lesson(lesson_names()["vanishing"])
    async with running(open_session(lesson.data, {}), lang="en", learn=lesson) as driven:
        tutor = driven.main.guide
        assert tutor is not None
        await driven.pilot.press("3")
        assert driven.controller.selection.page == "weights"
        await driven.pilot.press(">", "1")
        assert tutor.progress.guess == 0
        assert driven.controller.selection.page == "weights"
        await driven.pilot.press("escape", "1", "L")
        assert "4 Why can it not remember?" in driven.text()
        await driven.pilot.press("home", "enter")
        await driven.pilot.pause()
        assert driven.main.guide is not None
        assert driven.main.guide.lesson.name == "walk"


async def test_what_a_step_does_not_talk_about_is_faint_and_what_it_does_is_outlined() -> None:
    lesson = read_lesson(lesson_names()["vanishing"])
    async with running(open_session(lesson.data, {}), learn=lesson) as driven:
        text = driven.controller.frame.look.text.color

        def bright(name: str) -> bool:
            return any(s.style and s.style.color == text for strip in driven.pane(name)._strips for s in strip)

        assert not bright("listing")
        assert bright("lesson")
        guide = driven.main.guide
        assert guide is not None
        driven.main.show(guide.next() and guide.guess(0))
        await driven.pilot.pause()
        assert bright("why"), "a wrong guess is answered by it"
        assert not bright("listing")


def test_the_language_is_that_of_the_option_or_of_the_locale() -> None:
    assert language("zh", {"LANG": "en_US.UTF-8"}) == "zh"
    assert language(None, {"LANG": "zh_CN.UTF-8"}) == "zh"
    assert language(None, {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}) == "en"
    assert language(None, {}) == "en"


def test_lines_break_at_blanks_and_between_wide_characters() -> None:
    assert folded("one two three", 7) == ["one two", "three"]
    assert folded("误差从 ‖da_40‖ 出发。", 10) == ["误差从", "‖da_40‖ 出", "发。"]
    assert folded("误差出发。", 8) == ["误差出", "发。"], "a full stop begins no line"
    assert all(cell_len(line) <= 20 for line in folded("每一步都用到 Wa，所以每一步都加上自己的一项。" * 3, 20))
