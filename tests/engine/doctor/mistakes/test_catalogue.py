"""The catalogue: a file for each mistake, and the page of the docs that is made from it."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest

from engine.doctor.mending.edits import edits
from engine.doctor.mending.naming import names
from engine.doctor.mistakes import catalogue
from engine.doctor.mistakes.catalogue import CATALOGUE, FOLDERS
from engine.doctor.mistakes.mistake import Mistake

FOLDER = Path(catalogue.__file__).parent
EXAMPLES = [mistake for mistake in CATALOGUE.values() if mistake.example is not None]


def test_every_mistake_has_a_file_of_its_name() -> None:
    files = {path.stem.replace("_", "-") for path in FOLDER.glob("*/*.py") if path.parent.name in FOLDERS}
    assert files - {"--init--"} == set(CATALOGUE)
    assert all(mistake.title and mistake.advice for mistake in CATALOGUE.values())


def test_every_name_that_is_given_is_in_the_catalogue() -> None:
    files = Path(names.__file__).parents[1].rglob("*.py")
    words = {n.value for f in files for n in ast.walk(ast.parse(f.read_text("utf-8"))) if isinstance(n, ast.Constant)}
    named = {word for word in words if isinstance(word, str) and word in CATALOGUE}
    assert len(named) > 15
    assert set(names.OTHERS.values()) <= set(CATALOGUE)
    assert set(names.OTHERS) <= set(edits.KINDS)


def test_every_mistake_in_the_catalogue_is_told_by_something() -> None:
    doctor = FOLDER.parent
    texts = [path.read_text("utf-8") for path in doctor.rglob("*.py") if path.parent.name not in FOLDERS]
    assert [id for id in CATALOGUE if not any(f'"{id}"' in text for text in texts)] == []


@pytest.mark.parametrize("mistake", EXAMPLES, ids=lambda mistake: mistake.id)
def test_an_example_is_a_program_with_one_line_changed(mistake: Mistake) -> None:
    example = mistake.example
    assert example is not None
    right, wrong = example.right_text.splitlines(), example.wrong_text.splitlines()
    compile(example.right_text, "right", "exec")
    compile(example.wrong_text, "wrong", "exec")
    assert sum(line not in wrong for line in right) <= 1
    assert 0 < example.wrong_line <= len(wrong)


def test_the_page_of_the_docs_is_current() -> None:
    docs = Path(__file__).parents[4] / "docs"
    page = runpy.run_path(str(docs / "make_mistakes.py"))["page"]
    assert (docs / "mistakes.md").read_text("utf-8") == page(), "make mistakes"
