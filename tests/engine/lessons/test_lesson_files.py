"""Lesson files: what teachers write is read, and what cannot be is refused in one sentence that names the step."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import InputError
from engine.lessons.course import done, filled, open_lesson, right_choice
from engine.lessons.lesson import Lesson, find_lesson, in_language, lesson_names, read_lesson
from engine.registry import LANGUAGES
from engine.session import open_session

OF_A_TEACHER = """\
title = "Why can't it remember?"
data = "vanishing"
[[step]]
say  = "The answer is in x_1. The loss is at t = 40."
at   = "loss"
[[step]]
ask  = "How much of the error reaches t = 1?"
choose = ["about half", "a thousandth", "almost nothing"]
run  = "backward"
answer = "norm(da@1) / norm(da@40) < 1e-6"
say  = "{norm(da@1)}: about {gain} a step."
[[step]]
do   = "Stop where ‖da‖ falls below 1e-3."
until = "norm(da) < 1e-3"
hint = "d, then: da if norm(da) < 1e-3"
[[step]]
try  = "activation = identity"
say  = "Now Wa alone decides. Better or worse?"
"""


def written(folder: Path, text: str) -> Lesson:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return read_lesson(path)


def test_a_teachers_file_is_read_and_its_numbers_come_from_the_recording(tmp_path: Path) -> None:
    lesson = written(tmp_path, OF_A_TEACHER)
    debugger = open_lesson(lesson).debugger
    asked = lesson.steps[1]
    assert right_choice(asked, debugger) == 2, "a single condition is the last choice's"
    assert asked.say is not None
    assert filled(asked.say["en"], debugger) == "2.57e−12: about 0.53 a step."
    assert find_lesson(str(tmp_path / "mine.toml")) == tmp_path / "mine.toml"
    until = lesson.steps[2].until
    assert not done(until, debugger)
    debugger.add(f"da if {until}")
    debugger.continue_()
    assert done(until, debugger)


def test_the_lesson_in_the_documentation_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "lessons.md").read_text(encoding="utf-8")
    lesson = written(tmp_path, page.split("```toml\n")[1].split("```")[0])
    open_lesson(lesson)
    assert [bool(step.choices) for step in lesson.steps] == [False, True, False, True]


def test_every_lesson_that_comes_along_is_in_every_language() -> None:
    for path in lesson_names().values():
        lesson = read_lesson(path)
        for step in lesson.steps:
            for words in (lesson.title, step.say, step.ask, step.do, *step.hints):
                assert words is None or set(words) == set(LANGUAGES), (path.name, words)
    assert in_language({"en": "one"}, "zh") == "one"


@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [
        ('data = "vanishing"', "", "name the data"),
        ('data = "vanishing"', 'data = "../secret.csv"', "leads out of"),
        ('data = "vanishing"', 'data = "vanishing"\ncolour = 1', "unknown key colour"),
        ('at   = "loss"', 'at = "dq@7"', "step 1"),
        ('at   = "loss"', 'at = "da@99"', "step 1"),
        ('at   = "loss"', 'hint = "no"', "step 1: hint goes with do"),
        ('run  = "backward"', 'run = "sideways"', "step 2: run = sideways is no phase"),
        ("< 1e-6", "< 1e-60", "step 2: of 'How much of the error reaches t = 1?' none of its answers holds"),
        ("norm(da@1) /", "__import__('os') /", "step 2"),
        ("{norm(da@1)}", "{norm(dq@1)}", "step 2"),
        ("{norm(da@1)}", "{da@1}", "step 2: a text holds single numbers"),
        ('choose = ["about half", "a thousandth", "almost nothing"]', 'choose = ["one"]', "step 2: choose must be"),
        ('until = "norm(da) < 1e-3"', "", "step 3: do needs until"),
        ('until = "norm(da) < 1e-3"', 'until = "why da"', "step 3"),
        ("activation = identity", "activation = sideways", "step 4"),
        ("activation = identity", "os.system('true')", "step 4"),
        ('title = "Why', 'title = 3 #"Why', "title must be text"),
        ("[[step]]\nsay", "[step]\nsay", "not valid TOML"),
        ('say  = "The answer', 'say.fr = "The answer', "step 1: unknown key fr"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(old: str, new: str, refusal: str, tmp_path: Path) -> None:
    assert old in OF_A_TEACHER
    with pytest.raises(InputError, match=r"^mine\.toml") as refused:
        open_lesson(written(tmp_path, OF_A_TEACHER.replace(old, new, 1)))
    assert refusal in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_lesson_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean vanishing"):
        find_lesson("vanishin")
    with pytest.raises(InputError, match=r"no lesson file named nowhere\.toml"):
        find_lesson("nowhere.toml")


def test_nothing_holds_where_nothing_is_computed() -> None:
    debugger = open_session(None, {}).debugger
    assert not done("norm(a) > 0", debugger)
