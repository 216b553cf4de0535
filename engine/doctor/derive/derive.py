"""From the user's forward pass to its backward pass: run and seen, differentiated line by line, proved by the program's own run."""

from __future__ import annotations

import ast

from engine.doctor.derive.derived import Derived
from engine.doctor.derive.forward import ForwardPass, forward_pass
from engine.doctor.derive.helpers import known_helpers
from engine.doctor.derive.output import output_lines
from engine.doctor.derive.proof import proved
from engine.doctor.derive.reverse import Reversed
from engine.doctor.derive.shapes import SeenShapes
from engine.doctor.derive.steps import Steps
from engine.doctor.derive.syntax_of import base, names, path
from engine.doctor.derive.values import ForwardValues
from engine.doctor.lineage.loss import ChosenLoss
from engine.doctor.lineage.reading import Record
from engine.doctor.lineage.returned import inputs
from engine.doctor.lineage.running import Runs
from engine.doctor.lineage.windows import ends, window
from engine.doctor.read.source import SourceFile
from engine.doctor.vocabulary.roles import parameter
from engine.doctor.walk.opening import likeliest_loss
from engine.errors import InputError
from engine.text import clean


def derive(runs: Runs, source: SourceFile) -> Derived:
    """The backward pass of a program's forward pass. Raises InputError where it cannot be run, computes no loss, or nothing of it can be
    derived."""
    file = clean(source.path.name)
    outcome, record = runs.followed()
    if isinstance(record, str):
        raise InputError(f"{file}: {outcome.sentence()}; {record}")
    first = window(record, 0, ends(record)[0])
    loss = likeliest_loss(first)
    if loss is None or loss.assumed:
        if not outcome.is_whole:
            raise InputError(f"{file}: {clean(outcome.sentence())}; rnn-tui doctor says how to repair it")
        raise InputError(f"{file}: it computes no loss; compute one, as loss = ..., and it is derived from there")
    _, seen = runs.seen(source.text)
    if seen is None:
        raise InputError(f"{file}: what its expressions are was not seen")
    shapes = SeenShapes(seen)
    forward = forward_pass(source.tree(), loss.line, loss.name, shapes, _computed(first), known_helpers(source.tree()))
    if forward is None or not forward.parameters:
        raise InputError(
            f"{file}: no way from the loss of line {loss.line} to weights was followed; functions within functions and branches are not"
        )
    if (filled := _filled_elsewhere(forward, source.tree())) is not None:
        raise InputError(f"{file}: {clean(filled)} is filled by a function that is not followed")
    made = _reversed(forward, source, first, loss)
    return proved(runs, source, forward, made, f"{loss.name}, line {loss.line}")


def _reversed(
    forward: ForwardPass, source: SourceFile, record: Record, loss: ChosenLoss
) -> tuple[Reversed, ForwardValues]:
    """The way back, made twice: the first time shows of which values the rounds before are needed."""
    tree = source.tree()
    taken = names(tree)
    helpers = known_helpers(tree)
    receivers = {called.receiver for called in forward.flat.calls}
    own = [(name.removeprefix("self."), kind) for name, kind in helpers.items() if name.startswith("self.")]
    helpers |= {f"{receiver}.{name}": kind for receiver in receivers for name, kind in own}
    old: frozenset[tuple[str, int]] = frozenset()
    while True:
        steps = Steps(forward)
        values = ForwardValues(forward, steps, set(taken), old)
        made = Reversed(forward, steps, values, helpers, set(taken), output_lines(forward, record, loss, helpers))
        made.run()
        if values.needs_old <= old:
            return made, values
        old |= values.needs_old


def _filled_elsewhere(forward: ForwardPass, tree: ast.Module) -> str | None:
    """What looks like a weight, and is an array of which a function writes the entries."""
    stores = (t for s in ast.walk(tree) if isinstance(s, ast.Assign) for t in s.targets if isinstance(t, ast.Subscript))
    words = {base(t).rpartition(".")[2] for t in stores if not path(t)}
    named = [name for name in forward.parameters if "[" not in name and parameter(name.rpartition(".")[2]) is None]
    return next((name for name in named if name.rpartition(".")[2] in words), None)


def _computed(record: Record) -> set[str]:
    """The names of arrays that are no leaves of the run, nor scaled from one: something was computed into them."""
    leaves = {(int(ids[0]), len(ids)) for ids in inputs(record)}
    named = {e.name for e in record.events if e.value.size and (e.value.first, e.value.size) in leaves}
    return {e.name for e in record.events if e.value.size > 1} - named
