"""Lesson files (TOML): steps that tell, ask, give something to do, or try what if. Standard library only.

A lesson names places, numbers, conditions, keys and edits, in the languages of the debugger; nothing in it is ever run. Every text may
be one text, or one for each language: `say.en = "..."`, `say.zh = "..."`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias, cast

from engine.errors import InputError
from engine.files.locate import existing, sample_folder, sample_names, seen
from engine.files.project import file_inside, options_of, read_table, suggestion
from engine.files.raw import shown
from engine.registry import LANGUAGES
from engine.text import clean

RIGHT, ANY = "right", "any"
"""In a lesson with a program: what `until` says, done when its gradients are right; and the program with a mistake that is drawn."""
MOST_CHOICES = 5
_TEXT_LIMIT = 600
_KEYS = ("title", "minutes", "data", "program", "options", "step")
KINDS = ("say", "try", "ask", "do")
"""What a step is: the last of these keys that it has."""
_STEP_KEYS = (*KINDS, "at", "press", "show", "choose", "answer", "run", "why", "until", "hint")
_ONLY_WITH = {"choose": "ask", "answer": "ask", "run": "ask", "why": "ask", "until": "do", "hint": "do"}
_NEEDED = {"ask": ("choose", "answer"), "do": ("until",), "try": (), "say": ()}

Words: TypeAlias = Mapping[str, str]
"""A text by language."""


@dataclass(frozen=True)
class LessonStep:
    """One step: `say` is told (after the answer of `ask`, once `do` is done); `at` is a place to go to, `press` keys to press before.

    `ask` has a condition in `answers` for each of `choices`, of which one holds of the recording; then the program is run to the end
    of the phase `run`, and who guessed wrong is shown why the number `why` is what it is. `until` says when `do` is done, `hints` help
    with it, each more than the one before. `edit` is what if, made after the answer where there is a question. `show` are the panes
    that are talked about.
    """

    say: Words | None = None
    ask: Words | None = None
    do: Words | None = None
    at: str = ""
    press: tuple[str, ...] = ()
    show: tuple[str, ...] = ()
    choices: tuple[Words, ...] = ()
    answers: tuple[str, ...] = ()
    run: str = ""
    why: str = ""
    until: str = ""
    hints: tuple[Words, ...] = ()
    edit: str = ""


@dataclass(frozen=True)
class Lesson:
    """A lesson's file, checked as far as that is possible without its data. `data` is a sample's name or an absolute path.

    Instead `program` may be the catalogue's name of a mistake, or `ANY`: the learner mends a program in which it was planted.
    """

    path: Path
    title: Words
    steps: tuple[LessonStep, ...]
    data: str = ""
    program: str = ""
    minutes: int = 5
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return name_of(self.path)


def in_language(words: Words, language: str) -> str:
    """A text in a language; in the first one that there is, where it has none in that."""
    return words.get(language) or next(iter(words.values()))


def lesson_folder() -> Path:
    """Where the lessons that come along are, beside the samples."""
    return sample_folder() / "lessons"


def name_of(path: Path) -> str:
    """`vanishing` of `4_vanishing.toml`: the number is the order."""
    return path.stem.lstrip("0123456789_") or path.stem


def lesson_names() -> dict[str, Path]:
    """The lessons that come along, in the order in which they build on each other."""
    return {name_of(path): path for path in sorted(lesson_folder().glob("*.toml"))}


def find_lesson(text: str) -> Path:
    """The file that a lesson's name or a file's name means; InputError where there is none."""
    names = lesson_names()
    if text in names and not seen(Path(text).exists):
        return names[text]
    if not text.lower().endswith(".toml"):
        remedy = suggestion(text, names)
        raise InputError(f"there is no lesson {clean(text, 60)}{remedy}; a file of your own ends in .toml")
    return existing(text, "lesson")


def read_lesson(path: Path) -> Lesson:
    """The lesson in a TOML file; InputError names the file, the step and the key that is wrong."""
    reader = _Reader(path)
    table = read_table(path)
    reader.known(table, _KEYS, "")
    if ("data" in table) == ("program" in table):
        raise reader.error('name the data, data = "vanishing" or a file beside the lesson; or a program to be mended')
    steps = table.get("step")
    if not isinstance(steps, list) or not steps:
        raise reader.error('it has no steps; each begins with a line [[step]] and has, for example, say = "..."')
    return Lesson(
        path=path,
        title=reader.words(table.get("title"), "title"),
        steps=tuple(reader.step(n, step) for n, step in enumerate(cast("list[object]", steps), 1)),
        minutes=reader.minutes(table.get("minutes", 5)),
        data=reader.data(table["data"]) if "data" in table else "",
        program=reader.text(table["program"], "program") if "program" in table else "",
        options=options_of(path, table.get("options", {})),
    )


class _Reader:
    """Checks the tables of one file; `where` in a refusal is "" or the step."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.where = ""

    def error(self, message: str) -> InputError:
        return InputError(f"{shown(self._path)}{self.where}: {message}")

    def known(self, table: Mapping[str, object], keys: tuple[str, ...], remedy: str) -> None:
        for key in table.keys() - set(keys):
            raise self.error(f"unknown key {clean(key, 60)}{suggestion(key, keys)}{remedy}")

    def step(self, number: int, value: object) -> LessonStep:
        self.where = f", step {number}"
        if not isinstance(value, dict):
            raise self.error("a step is a table: a line [[step]], then one key a line")
        table = cast("dict[str, object]", value)
        self.known(table, _STEP_KEYS, "")
        kinds = [key for key in KINDS if key in table]
        if not kinds or ("do" in kinds and len(kinds) > 1 + ("say" in kinds)):
            raise self.error("a step has say, ask (perhaps with try), do or try; do goes without ask and try")
        kind = kinds[-1]
        for key in table:
            if _ONLY_WITH.get(key, kind) != kind:
                raise self.error(f"{key} goes with {_ONLY_WITH[key]}")
        for key in _NEEDED[kind]:
            if key not in table:
                raise self.error(f"{kind} needs {key}")
        choices = self.many(table.get("choose", []), "choose")
        result = LessonStep(
            say=self.words(table["say"], "say") if "say" in table else None,
            ask=self.words(table["ask"], "ask") if "ask" in table else None,
            do=self.words(table["do"], "do") if "do" in table else None,
            choices=choices,
            answers=self.answers(table["answer"], len(choices)) if "answer" in table else (),
            hints=self.many(table.get("hint", []), "hint"),
            press=self.words_in(table, "press"),
            show=self.words_in(table, "show"),
            edit=self.text(table["try"], "try") if "try" in table else "",
            **{key: self.text(table[key], key) for key in ("at", "run", "why", "until") if key in table},
        )
        self.where = ""
        return result

    def words(self, value: object, key: str) -> Words:
        """A text, or one for each language."""
        if not isinstance(value, dict):
            return {LANGUAGES[0]: self.text(value, key)}
        table = cast("dict[str, object]", value)
        self.known(table, LANGUAGES, f" ({key} is a text, or one for each language)")
        if not table:
            raise self.error(f"{key} has no text")
        return {language: self.text(table[language], key) for language in LANGUAGES if language in table}

    def text(self, value: object, key: str) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self.error(f'{key} must be text in quotes: {key} = "..."')
        return clean(" ".join(value.split()), _TEXT_LIMIT)

    def many(self, value: object, key: str) -> tuple[Words, ...]:
        """One text or several, each of them perhaps by language; or a list of texts for each language."""
        if isinstance(value, dict):
            lists = {
                language: [self.text(text, key) for text in self._items(one)]
                for language, one in cast("dict[str, object]", value).items()
            }
            self.known(lists, LANGUAGES, f" ({key} is texts, or such for each language)")
            if len({len(texts) for texts in lists.values()}) != 1:
                raise self.error(f"{key} must have equally many texts in every language")
            return tuple(dict(zip(lists, texts, strict=True)) for texts in zip(*lists.values(), strict=True))
        return tuple(self.words(item, key) for item in self._items(value))

    @staticmethod
    def _items(value: object) -> list[object]:
        return cast("list[object]", value) if isinstance(value, list) else [value]

    def answers(self, value: object, choices: int) -> tuple[str, ...]:
        """A condition for each choice; a single one is the last choice's."""
        if not 2 <= choices <= MOST_CHOICES:
            raise self.error(f"choose must be a list of 2 to {MOST_CHOICES} texts")
        if not isinstance(value, list):
            return (*[""] * (choices - 1), self.text(value, "answer"))
        items = cast("list[object]", value)
        if len(items) != choices:
            raise self.error("answer must be a list with a condition for each choice")
        return tuple(self.text(item, "answer") for item in items)

    def words_in(self, table: Mapping[str, object], key: str) -> tuple[str, ...]:
        """The words of a text, "" where the key is missing."""
        return tuple(self.text(table[key], key).split()) if key in table else ()

    def minutes(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 100:
            raise self.error("minutes must be a whole number, 1 to 99")
        return value

    def data(self, value: object) -> str:
        """A sample's name, or the path of a file in the lesson's folder."""
        if isinstance(value, str) and value in sample_names():
            return value
        return str(file_inside(self._path, "data", value))
