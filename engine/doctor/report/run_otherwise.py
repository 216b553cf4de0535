"""Other ways to follow a run: where no update was seen, without what fills its record, or with single numbers as weights; where what was
followed is right, on to what the program trains later."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.record.windows import FULL
from engine.doctor.run.launch import Wishes
from engine.doctor.run.outcome import Outcome
from engine.text import clean

MOST_UNFOLLOWED = 3
UNFOLLOWED = (
    "{} ({}) was run without being followed: "
    "it made at least half of what was recorded until a limit was reached, with no update seen"
)
RUN_ON = "{} ({}) was followed and is right; it was run again without being followed, for what comes after it"


def run_otherwise(runs: Runs, outcome: Outcome, record: Record | str) -> Iterator[tuple[Wishes, tuple[str, ...]]]:
    """How a program may be run again whose run ended so, each with what is to be noted of it."""
    if isinstance(record, str) or record.rounds:
        return
    wishes, operations = runs.wishes, record.operations
    if len(operations) and not len(operations.wide) and not wishes.alone:  # it computes with single numbers alone
        yield replace(wishes, alone=True), ()
    is_full = record.outcome.get("ended") in FULL or outcome.ending.kind == "time"
    number = record.outcome.get("filling")
    if not is_full or len(wishes.unfollowed) == MOST_UNFOLLOWED or not isinstance(number, int):
        return
    line = record.lines[number] if 0 < number < len(record.lines) else None
    lines = (runs.text_of(line.file) or "").splitlines() if line is not None else []
    text = lines[line.number - 1].strip() if line is not None and 0 < line.number <= len(lines) else ""
    if line is not None and text and (place := (line.file, text)) not in wishes.unfollowed:
        where = f"line {line.number}" + ("" if line.file == runs.name else f" of {clean(line.file, 80)}")
        note = UNFOLLOWED.format(where, clean(text, 120))
        yield replace(wishes, unfollowed=(*wishes.unfollowed, place)), (note,)


def run_on(
    runs: Runs, record: Record, texts: Mapping[str, str], passes: Sequence[str]
) -> tuple[Wishes, tuple[str, ...]] | None:
    """How a program is run on to backward passes that had not run where it was stopped, with what is to be noted of it: without what it was
    stopped in, if that is a statement of its file, and one after it leads to them. None where nothing shows such a statement."""
    wishes, lines = runs.wishes, cast("list[int]", record.outcome.get("through", []))
    if len(wishes.unfollowed) == MOST_UNFOLLOWED:
        return None
    trees = {file: ast.parse(text) for file, text in texts.items()}
    leading = _leading_to(trees.values(), {name.partition(".")[0] for name in passes})
    for line in lines:
        block = _block_of(trees[runs.name], line)
        k = next((k for k, each in enumerate(block) if each.lineno <= line <= (each.end_lineno or 0)), len(block))
        if k < len(block) and isinstance(block[k], SIMPLE) and any(_names(each) & leading for each in block[k + 1 :]):
            text = texts[runs.name].split("\n")[block[k].lineno - 1].strip()
            note = RUN_ON.format(f"line {block[k].lineno}", clean(text, 120))
            return replace(wishes, unfollowed=(*wishes.unfollowed, (runs.name, text))), (note,)
    return None


SIMPLE = (ast.Expr, ast.Assign, ast.AnnAssign)


def _block_of(tree: ast.Module, line: int) -> Sequence[ast.stmt]:
    """The innermost statements of one indentation that a line is in, not those of a loop's rounds, which begin again."""
    block: Sequence[ast.stmt] = tree.body
    while True:
        at = next((each for each in block if each.lineno <= line <= (each.end_lineno or 0)), None)
        inner = [] if at is None or isinstance(at, (ast.For, ast.While)) else _blocks_in(at)
        further = next((each for each in inner if each and each[0].lineno <= line <= (each[-1].end_lineno or 0)), None)
        if further is None:
            return block
        block = further


def _blocks_in(statement: ast.stmt) -> list[list[ast.stmt]]:
    handlers: list[ast.ExceptHandler] = getattr(statement, "handlers", [])
    named = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    return [*named, *(handler.body for handler in handlers)]


def _leading_to(trees: Collection[ast.Module], names: set[str]) -> set[str]:
    """These names, and those of functions and classes in which one of them stands."""
    found = set(names)
    made = [each for tree in trees for each in tree.body if isinstance(each, (ast.FunctionDef, ast.ClassDef))]
    while new := {each.name for each in made if each.name not in found and _names(each) & found}:
        found |= new
    return found


def _names(node: ast.AST) -> set[str]:
    """The names that stand in a text."""
    named = (getattr(each, "id", getattr(each, "attr", "")) for each in ast.walk(node))
    return {name for name in named if isinstance(name, str)}
