"""From the user's forward pass to its backward pass: run and seen, differentiated line by line, proved by the program's own run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace

from engine.doctor.derive.backward.output import output_lines
from engine.doctor.derive.backward.reverse import Reversed
from engine.doctor.derive.derived import Derived, Gap
from engine.doctor.derive.forward.call_targets import aliases
from engine.doctor.derive.forward.forward import forward_pass
from engine.doctor.derive.forward.held_functions import with_functions_named
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.forward.steps import Steps
from engine.doctor.derive.program.functions import called_functions, functions_beside
from engine.doctor.derive.program.joined import joined
from engine.doctor.derive.program.ready import NoLossFound, ReadyProgram, first_in_double, ready
from engine.doctor.derive.program.taken_loss import UnknownNames
from engine.doctor.derive.proof.proof import proved
from engine.doctor.derive.tree.helpers import helpers_of
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.syntax_of import base, names, path, reads, shown_entries
from engine.doctor.derive.values.values import ForwardValues
from engine.doctor.lineage.gradients.inputs import inputs
from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.the_loss.loss import ChosenLoss
from engine.doctor.read.source import SourceFile
from engine.doctor.read.top_level import statically_runs
from engine.doctor.vocabulary.roles import parameter
from engine.errors import InputError
from engine.text import clean


def derive(runs: Runs, source: SourceFile, loss: str = "", function: str = "") -> Derived:
    """The backward pass of a program's forward pass, or of a function that is named and called with arguments that are made up, as those of
    a file are that only defines functions. `loss` is what the loss is to be, where it computes none or another is meant. Raises InputError
    where it cannot be run, has no loss, or nothing of it can be derived."""
    refused: InputError | None = None
    found: Derived | None = None
    for text in _texts(runs, source):
        try:
            made = _derived_of(runs.with_texts({runs.name: text.text}) if text.files else runs, text, loss, function)
        except InputError as error:
            refused = type(error)(text.in_cells(str(error)))
            continue
        if found is None or len(made.gaps) < len(found.gaps):
            found = replace(made, source=text)
        if not made.gaps:
            break
    if found is None:
        raise refused or InputError(f"{clean(source.path.name)}: nothing could be derived")
    return found


def _texts(runs: Runs, source: SourceFile) -> Iterator[SourceFile]:
    """The program's own file, then one text of all its files: what one of them computes may go through functions of others."""
    yield source
    if (whole := joined(source, runs.text_of)) is not None:
        yield whole


def _derived_of(runs: Runs, source: SourceFile, loss: str, function: str) -> Derived:
    if not function and statically_runs(source.tree()):
        try:
            return _derived(ready(runs, source, loss), source)
        except NoLossFound as error:
            if not any(isinstance(n, ast.FunctionDef) for n in source.tree().body):
                raise
            return _of_functions(runs, source, loss, function, error)
    return _of_functions(runs, source, loss, function, None)


MADE_UP = "the arguments that were made up may not fit: call it below with arrays of your own, and that call is run"


def _of_functions(runs: Runs, source: SourceFile, loss: str, function: str, refused: InputError | None) -> Derived:
    """The backward pass of a function that nothing runs: of several calls that fit the one that gives the fewest lines. Where it is not
    named, what it leaves is named as gaps: functions beside it, the loss of a program that runs and computes none."""
    no_loss = refused is not None
    made: list[tuple[Derived, ReadyProgram]] = []
    for program in called_functions(runs, source, function, loss):
        try:
            if isinstance(program, InputError):
                raise program
            one = replace(_derived(program, source), made_up=True)
            made.append((one, program))
            if not one.gaps and (program.given or any(line.kind == "head" for line in one.lines)):
                break
        except UnknownNames as error:
            refused = refused or error
        except InputError as error:
            is_first = refused is None or isinstance(refused, UnknownNames)
            refused = InputError(f"{error}; {MADE_UP}") if is_first else refused
    if made:
        one, program = min(made, key=lambda each: (len(each[0].gaps), len(each[0].lines)))
        left = () if function else tuple(_left(source, program, one, no_loss))
        return replace(one, gaps=(*one.gaps, *left))
    raise refused or InputError(
        f"{clean(source.path.name)}: no function of it looks like a forward pass; --function NAME says which is one"
    )


def _left(source: SourceFile, program: ReadyProgram, made: Derived, no_loss: bool) -> Iterator[Gap]:
    """What the backward pass of one function leaves of a program."""
    every = [n for n in ast.walk(source.tree()) if isinstance(n, ast.FunctionDef)]
    line = next((n.lineno for n in every if n.name == program.function.rpartition(".")[2]), 1)
    if no_loss:
        yield Gap(
            line, made.file, f"the program computes no loss: this is the backward pass of {program.function}() alone"
        )
    for one in functions_beside(source, program.function, made.agreement):
        yield Gap(one.node.lineno, made.file, f"{one.name}() has weights of its own: --function {one.name} derives it")


def _derived(program: ReadyProgram, source: SourceFile) -> Derived:
    """The backward pass of a program that is ready; `source` is its user's text."""
    file = clean(source.path.name)
    chosen = program.loss
    _, seen = program.runs.seen()
    if seen is None:
        raise InputError(f"{file}: what its expressions are was not seen")
    shapes = SeenShapes(seen)
    tree = with_functions_named(program.source.tree(), shapes)
    computed, helpers = _computed(program.first) | {*program.given}, helpers_of(tree, program.runs.text_of)
    forward = forward_pass(tree, chosen.line, chosen.name, shapes, computed, helpers)
    if forward is None or not forward.parameters:
        raise InputError(f"{file}: no way from the loss of line {chosen.line} to weights was followed")
    if (filled := _filled_elsewhere(forward, tree)) is not None:
        raise InputError(f"{file}: {clean(filled)} is filled by a function that is not followed")
    made = _reversed(forward, program.source, *first_in_double(program), helpers)
    flat = forward.flat
    held = {name: list(_of_objects(forward, name)) for name in forward.parameters if name in flat.fields}
    shown = {name: [flat.shown(name)] for name in forward.parameters if not flat.is_part(name)} | held
    gradients = made[0].made.items()
    made[0].made = {
        one: f"{d}[{k}]" if name in held else d
        for name, d in gradients
        for k, one in enumerate(shown.get(name, [flat.shown(name)]))
    }
    forward.parameters = [one for some in shown.values() for one in some]
    for called in flat.calls:
        called.receiver = shown_entries(called.receiver)
    return proved(program, source, forward, made)


def _of_objects(forward: ForwardPass, name: str) -> Iterator[str]:
    """The weights of a list's objects that are the entries of one name of the block."""
    holder, attributes = forward.flat.fields[name]
    yield from (".".join([f"{holder}[{k}]", *attributes]) for k in range(forward.flat.lengths[holder]))


def _reversed(
    forward: ForwardPass, source: SourceFile, record: Record, loss: ChosenLoss, helpers: Mapping[str, str]
) -> tuple[Reversed, ForwardValues]:
    """The way back, made twice: the first time shows of which values the rounds before are needed."""
    tree = source.tree()
    taken = names(tree)
    helpers = dict(helpers)
    held = aliases(tree, forward.shapes).items()
    helpers |= {f"self.{name}": helpers[f"self.{of}"] for name, of in held if f"self.{of}" in helpers}
    receivers = {called.receiver for called in forward.flat.calls}
    own = [(name.removeprefix("self."), kind) for name, kind in helpers.items() if name.startswith("self.")]
    helpers |= {f"{receiver}.{name}": kind for receiver in receivers for name, kind in own}
    old: frozenset[tuple[str, int]] = frozenset()
    while True:
        steps = Steps(forward)
        values = ForwardValues(forward, steps, set(taken), old)
        made = Reversed(
            forward, steps, values, helpers, set(taken), output_lines(forward, steps, record, loss, helpers)
        )
        made.run()
        if values.keeping.needs_old <= old:
            return made, values
        old |= values.keeping.needs_old


def _filled_elsewhere(forward: ForwardPass, tree: ast.Module) -> str | None:
    """What looks like a weight, and is an array of which a function writes the entries; a number that entries begin with is none."""
    made = [s for s in ast.walk(tree) if isinstance(s, ast.Assign) and forward.shapes.shape(s.value) != ()]
    stores = ((t, s) for s in made for t in s.targets if isinstance(t, ast.Subscript) and not path(t))
    words = {base(t).rpartition(".")[2] for t, s in stores if base(t) not in map(path, reads(s.value))}  # else a step
    named = [name for name in forward.parameters if "[" not in name and parameter(name.rpartition(".")[2]) is None]
    return next((name for name in named if name.rpartition(".")[2] in words), None)


def _computed(record: Record) -> set[str]:
    """The names of arrays that are no leaves of the run, nor scaled from one: something was computed into them."""
    leaves = {(int(ids[0]), len(ids)) for ids in inputs(record)}
    named = {e.name for e in record.events if e.value.size and (e.value.first, e.value.size) in leaves}
    return {e.name for e in record.events if e.value.size > 1} - named
