"""A program made ready: repaired where it stops, with a loss where it computes none; its record, and the loss that is carried back."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.doctor.derive.derived import Keep, Repair
from engine.doctor.derive.program.taken_loss import FORMS, TakenLoss, asked_loss, taken_loss
from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.record.windows import ends, window
from engine.doctor.lineage.the_loss.loss import ChosenLoss
from engine.doctor.read.source import SourceFile
from engine.doctor.repair.followed import followed_on
from engine.doctor.run.outcome import Outcome
from engine.doctor.walk.opening import likeliest_loss
from engine.errors import InputError
from engine.text import clean

KEPT = "last-sample-only"
"""A slip that is no repair here: what the forward pass has to keep is said with the backward pass."""
NO_LOSS = "it computes no loss, and no outputs meet targets in it; --loss 'np.mean((outputs - targets) ** 2)' says what the loss is"


class NoLossFound(InputError):
    """A program that computes no loss, and has no place for one."""


@dataclass(frozen=True, eq=False)
class ReadyProgram:
    """`runs` and `source` are of the text that is derived from, in which every line has its number; `first` is the record of its first
    round. `repairs` are what had to be written for it to run, `added` the statements of a loss that it does not compute."""

    runs: Runs
    source: SourceFile
    record: Record
    first: Record
    loss: ChosenLoss
    said: str
    repairs: tuple[Repair, ...] = ()
    added: tuple[Keep, ...] = ()
    name: str = ""
    """What the loss is called that was added."""
    given: tuple[str, ...] = ()
    """dL/d of what a function returns, where no loss is computed: names that its backward pass takes."""
    header: str = ""
    """What is said above the statements that are added."""
    function: str = ""
    """The function that was called with arguments that were made up."""

    def with_text(self, text: str) -> Runs:
        """Its runs with another text."""
        return self.runs.with_texts({self.runs.name: text})


def ready(runs: Runs, source: SourceFile, asked: str) -> ReadyProgram:
    """The program as it can be derived from. `asked` is what the loss is to be: a kind, an expression, or "". Raises InputError where it
    cannot be run, or there is no loss."""
    file = clean(source.path.name)
    outcome, record, first, loss = run_of(runs)
    repairs: Sequence[Repair] = ()
    if outcome.ending.kind == "exception" and (loss is None or loss.assumed):
        runs, source, repairs = _repaired(runs, source)
        outcome, record, first, loss = run_of(runs) if repairs else (outcome, record, first, loss)
    if isinstance(record, str) or first is None:
        raise InputError(f"{file}: {clean(outcome.sentence())}; {record}")
    if not outcome.is_whole and (loss is None or loss.assumed):
        raise InputError(f"{file}: {clean(outcome.sentence())}; rnn-tui doctor says how to repair it")
    if loss is not None and not loss.assumed and not asked:
        return ReadyProgram(runs, source, record, first, loss, f"{loss.name}, line {loss.line}", tuple(repairs))
    return with_loss(runs, source, _taken(source, first, asked, file), tuple(repairs))


def with_loss(runs: Runs, source: SourceFile, taken: TakenLoss, repairs: tuple[Repair, ...] = ()) -> ReadyProgram:
    """The program with a loss that is added. Raises InputError where that could not be computed."""
    file = clean(source.path.name)
    runs, source = _with_text(runs, source, taken.text)
    outcome, record, first, _ = run_of(runs)
    made = None if isinstance(record, str) or first is None else likeliest_loss(first, taken.name)
    if isinstance(record, str) or first is None or made is None:
        why = "no weights go into it" if outcome.is_whole else f"it could not be computed: {clean(outcome.sentence())}"
        raise NoLossFound(f"{file}: {taken.name} = {clean(taken.said)}: {why}")
    return ReadyProgram(
        runs, source, record, first, made, taken.said, repairs, taken.keeps, taken.name, taken.given, taken.header
    )


def _taken(source: SourceFile, record: Record, asked: str, file: str) -> TakenLoss:
    if asked and asked not in FORMS:
        return loss_of(source, asked)
    try:
        taken = taken_loss(source, record, asked)
    except InputError as error:
        raise NoLossFound(f"{file}: {clean(str(error))}") from None
    if taken is None:
        raise NoLossFound(f"{file}: {NO_LOSS}")
    return taken


def loss_of(source: SourceFile, expression: str, function: ast.FunctionDef | None = None) -> TakenLoss:
    """The loss that an expression is, in a function, if one is given. Raises InputError where it is none, or has no place."""
    said = f"--loss {clean(expression, 80)}"
    try:
        return asked_loss(source, expression, function)
    except SyntaxError:
        raise InputError(f"{said}: this is no expression, nor one of {', '.join(FORMS)}") from None
    except InputError as error:
        raise type(error)(f"{clean(source.path.name)}: {said}: {clean(str(error), 400)}") from None


def run_of(runs: Runs) -> tuple[Outcome, Record | str, Record | None, ChosenLoss | None]:
    """A run: how it ended, its record, that of its first round, and the loss."""
    outcome, record = runs.followed()
    if isinstance(record, str):
        return outcome, record, None, None
    first = window(record, 0, ends(record)[0])
    return outcome, record, first, likeliest_loss(first)


def _repaired(runs: Runs, source: SourceFile) -> tuple[Runs, SourceFile, Sequence[Repair]]:
    """The program with the repairs that bring it to its end, and what they are; as it is where none do."""
    try:
        followed = followed_on(runs)
    except (RecursionError, ValueError, SyntaxError):  # a text that is stranger than any slip
        return runs, source, ()
    if followed is None or followed.last.failed is not None:
        return runs, source, ()
    slips = [slip for slip in followed.slips if slip.id != KEPT]
    repairs = [Repair(slip.line, clean(slip.file or source.path.name), clean(slip.fix, 400)) for slip in slips]
    runs = runs.with_texts(followed.texts)
    return runs, replace(source, text=runs.program.text), sorted(repairs, key=lambda one: (one.file, one.line))


def _with_text(runs: Runs, source: SourceFile, text: str) -> tuple[Runs, SourceFile]:
    return runs.with_texts({runs.name: text}), replace(source, text=text)


def first_in_double(program: ReadyProgram) -> tuple[Record, ChosenLoss]:
    """The record of the first round and its loss, computed in double precision where the program asks for single."""
    text = in_double(program.source.text)
    if text != program.source.text:
        _, _, first, _ = run_of(program.with_text(text))
        loss = None if first is None else likeliest_loss(first, program.name or program.loss.name)
        if first is not None and loss is not None:
            return first, loss
    return program.first, program.loss


def in_double(text: str) -> str:
    """A program's text, computed in double precision where it asks for single: rounding would hide what does not agree."""
    text = re.sub(r"(?<=[.'\"])float32\b", "float64", text)
    return re.sub(r"((?:dtype ?= ?|astype\( ?)['\"])f(?:4)?(?=['\"])", r"\1f8", text)
