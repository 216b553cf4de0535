"""Exercises: what is planted, where, and that a file of the user's is never replaced."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.lessons.chinese import MISTAKES
from engine.lessons.exercise import catalogue, check_exercise, code_of, prepared
from engine.lessons.lesson import ANY, lesson_names, read_lesson

FIX, QUIZ = (read_lesson(lesson_names()[name]) for name in ("fix", "quiz"))


def test_any_mistake_can_be_planted_and_its_line_is_the_one_that_is_told(tmp_path: Path) -> None:
    planted = {mistake.id for mistake, _ in catalogue()}
    assert len(planted) > 30
    assert not planted & {"delta-sign", "gradients-added"}, "their gradients look right one by one"
    for mistake, _ in catalogue():
        folder = tmp_path / mistake.id
        folder.mkdir()
        exercise = prepared(replace(FIX, program=mistake.id), folder)
        text = exercise.path.read_text(encoding="utf-8")
        line = text.splitlines()[int(exercise.values("en")["line"]) - 1]
        assert line.strip() == exercise.values("en")["wrong"], mistake.id
        assert text.partition("\n")[2] == exercise.example.wrong_text
        assert mistake.id not in text, "the name would give it away"
        english, chinese = exercise.values("en"), exercise.values("zh")
        assert (english["title"], english["advice"]) == (mistake.title, mistake.advice)
        for told in (chinese["title"], chinese["advice"]):
            assert re.search("[一-鿿]{2}", told), (mistake.id, told)
        assert {**english, "title": "", "advice": ""} == {**chinese, "title": "", "advice": ""}
    assert set(MISTAKES) == planted, "no more than can be asked"
    assert len({code_of(mistake) for mistake, _ in catalogue()}) == len(planted), (
        "a file's code says which mistake it has"
    )


def test_an_exercise_is_gone_on_with_and_no_other_file_is_replaced(tmp_path: Path) -> None:
    first = prepared(QUIZ, tmp_path)
    mended = first.path.read_text(encoding="utf-8").replace("rate", "pace")
    first.path.write_text(mended, encoding="utf-8")
    again = prepared(QUIZ, tmp_path)
    assert again.mistake is first.mistake
    assert code_of(next(mistake for mistake, _ in catalogue() if mistake.id == "wa-not-transposed")) == "9f56", (
        "as files of learners have it"
    )
    assert first.path.read_text(encoding="utf-8") == mended
    first.path.write_text("print('mine')\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"quiz\.py is there already and is no exercise"):
        prepared(QUIZ, tmp_path)
    assert first.path.read_text(encoding="utf-8") == "print('mine')\n"


def test_what_an_exercise_cannot_have_is_refused() -> None:
    check_exercise(FIX)
    check_exercise(QUIZ)
    assert QUIZ.program == ANY
    with pytest.raises(InputError, match="there is no mistake nonsense to plant"):
        check_exercise(replace(FIX, program="nonsense"))
    with pytest.raises(InputError, match=r"7_fix\.toml, step 1: .* need data"):
        check_exercise(replace(FIX, steps=(replace(FIX.steps[0], at="da@3"),)))
    with pytest.raises(InputError, match="step 1: with a program until is right"):
        check_exercise(replace(FIX, steps=(replace(FIX.steps[1], until="norm(da) > 1"),)))
