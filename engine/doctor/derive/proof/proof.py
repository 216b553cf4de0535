"""The derived pass put into the program and run: only what agrees with the loss carried back over that run is printed."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from engine.doctor.derive.backward.matrices import has_matrices, number_by_number
from engine.doctor.derive.backward.named_again import with_values_named
from engine.doctor.derive.backward.reverse import Reversed
from engine.doctor.derive.backward.tidied import factored, loaded, without_copies, without_detours
from engine.doctor.derive.derived import BackwardFunction, Derived, DerivedLine, Gap, Keep, Refused
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.program.ready import ReadyProgram
from engine.doctor.derive.proof.agreement import ProvenGradients, agreement
from engine.doctor.derive.proof.finished import finished
from engine.doctor.derive.proof.folded import folded, whole
from engine.doctor.derive.proof.in_place import OwnPass
from engine.doctor.derive.proof.line_names import own_names, without_new_names
from engine.doctor.derive.proof.own import own_gradients, own_rows
from engine.doctor.derive.proof.reach import reached
from engine.doctor.derive.tree.syntax_of import base, names, parsed, shown_entries
from engine.doctor.derive.values.keeping import kept_before
from engine.doctor.derive.values.values import ForwardValues
from engine.doctor.read.source import SourceFile
from engine.errors import InputError
from engine.text import clean

CLOSE = 1e-9
BLOCKS = ("loop", "branch")
"""The kinds of lines that others are indented below."""
_MADE = re.compile(r"([A-Za-z_]\w*)(?: = |\.append\()")
"""What a line that keeps something gives a value."""


def proved(
    program: ReadyProgram, shown: SourceFile, forward: ForwardPass, made: tuple[Reversed, ForwardValues]
) -> Derived:
    """The derived pass with how far each gradient is from the loss carried back over a run of the program with it in place. `shown` is the
    program as its user has it."""
    file = shown.path.name
    raw, keeps = _with_values_known(forward, made, file)
    wanted = {base(parsed(name)) for name in made[0].made.values()}
    taken = names(program.source.tree())
    pairs = {name: made[0].made[name] for name in forward.parameters if name in made[0].made}
    raw = _read_later(raw, {*pairs.values(), *(f"d{name}" for name in program.given)})
    raw = without_detours(raw, wanted)
    keeps = _of_use(keeps, raw)
    tree = program.source.tree()
    body = own_names(with_values_named(factored(without_copies(raw, wanted)), taken), forward, tree)
    body = _written(without_new_names(body, _theirs(tree, keeps)), tree)
    found = agreement(program, forward, keeps, body, pairs)
    gaps = _gaps(forward, made[0], pairs, found, file)
    proven = {name: pairs[name] for name, error in found.errors.items() if error <= CLOSE}
    if not proven:
        raise _nothing(file, gaps)
    own_pass = OwnPass(program, forward, own_rows(program, proven))
    own = own_gradients(own_pass.rows, anew=own_pass.alone is not None)
    right = {one.name for one in own if one.is_used}
    if len(right) < len(proven):
        proven = {name: pairs[name] for name in proven if name not in right}
    is_all = not gaps and len(proven) == len(pairs)
    if not is_all:
        body = _needed(body, set(proven.values()))
        keeps = _of_use(keeps, body)
        data, found = found.data, agreement(program, forward, keeps, body, proven)
        found = replace(found, data=data)
        if not all(error <= CLOSE for error in found.errors.values()):
            raise _nothing(file, gaps)
    bare = Derived(
        file,
        program.said,
        tuple(keeps),
        tuple(body),
        tuple(gaps),
        found.errors,
        data=found.data,
        own=own,
        steps=found.steps,
    )
    if is_all and not own:
        bare = _in_functions(bare, raw, program, forward, proven)
    return finished(bare, program, shown, forward, proven, own_pass)


def _in_functions(
    bare: Derived, lines: Sequence[DerivedLine], program: ReadyProgram, forward: ForwardPass, pairs: Mapping[str, str]
) -> Derived:
    """The derived pass in functions, where the forward pass is in functions, and theirs agree as well."""
    tree, gradients, handed = program.source.tree(), pairs.values(), list[Keep]()
    if program.given:
        body, functions, handed = whole(forward, tree, lines, gradients, program.given)
    else:
        body, functions = folded(forward, tree, lines, gradients)
    if not functions:
        return bare
    theirs = _theirs(tree, bare.keeps)
    functions = [replace(one, lines=tuple(_readable(one, tree, theirs))) for one in functions]
    body = own_names(without_copies(body, {base(parsed(one)) for one in gradients}), forward, tree)
    body = _written(without_new_names(body, theirs), tree)
    keeps = [*bare.keeps, *(keep for keep in handed if not keep.replaces)]
    errors = agreement(program, forward, keeps, body, pairs, functions).errors
    if not all(error <= CLOSE for error in errors.values()):
        return bare
    keeps = (*bare.keeps, *(replace(keep, file=bare.file) for keep in handed))
    body = () if program.given else tuple(body)
    return replace(bare, agreement=errors, functions=tuple(functions), body=body, keeps=keeps)


def _theirs(tree: ast.Module, keeps: Sequence[Keep]) -> set[str]:
    """The names of the program, and of what it is to keep."""
    return names(tree) | {word for keep in keeps for word in re.findall(r"[A-Za-z_]\w*", keep.text)}


def _readable(one: BackwardFunction, tree: ast.Module, theirs: Collection[str]) -> list[DerivedLine]:
    """The lines of a function without needless copies, and what they make twice under a name."""
    returned = (line for line in one.lines if line.text.startswith("return"))
    wanted = {*one.parameters, *(name for line in returned for name in loaded(line))}
    lines = with_values_named(factored(without_copies(one.lines, wanted)), {*one.parameters, *names(tree)})
    return _written(without_new_names(lines, theirs), tree)


def _written(lines: list[DerivedLine], tree: ast.Module) -> list[DerivedLine]:
    """The lines as they are to be written in this program."""
    return number_by_number(lines) if has_matrices(tree) else lines


def _with_values_known(
    forward: ForwardPass, made: tuple[Reversed, ForwardValues], file: str
) -> tuple[list[DerivedLine], list[Keep]]:
    """The lines, and what is kept for them, with every value known where they stand."""
    back, values = made
    keeps = [*values.keeping.keeps, *kept_before(forward, [line.text for line in back.lines])]
    try:
        lines, kept = reached(forward, back.lines, keeps)
    except Refused as refused:
        raise InputError(f"{clean(file)}: nothing could be derived; {clean(str(refused))}") from None
    dicts = dict.fromkeys(name.partition("[")[0] for name in back.made.values() if name.endswith("']"))
    lines = [*(DerivedLine(f"{name} = {{}}", makes=name, kind="init") for name in dicts), *lines]
    lines = [replace(line, file=file, text=shown_entries(line.text)) for line in lines]
    return lines, [replace(keep, file=file, text=shown_entries(keep.text)) for keep in kept]


def _gaps(
    forward: ForwardPass, back: Reversed, pairs: Mapping[str, str], found: ProvenGradients, file: str
) -> list[Gap]:
    """What is left open: lines without a rule, parameters to which nothing comes back, gradients that do not agree."""
    last = forward.last.lineno
    gaps = [Gap(line, file, why) for line, why in back.gaps]
    if not gaps:
        left = [name for name in forward.parameters if name not in pairs and not _is_only_put(forward, name)]
        gaps += [Gap(last, file, f"nothing comes back to {name}") for name in left]
    why = (
        f"could not be compared ({clean(found.why)}), and"
        if found.why
        else "does not agree with the loss carried back, and"
    )
    wrong = [pairs[name] for name, error in found.errors.items() if not error <= CLOSE]
    return gaps + [Gap(last, file, f"{d} {why} is left out") for d in wrong]


def _nothing(file: str, gaps: Sequence[Gap]) -> InputError:
    if not gaps:
        return InputError(f"{clean(file)}: nothing could be derived: nothing comes back to its weights")
    return InputError(f"{clean(file)}: nothing could be derived; line {gaps[0].line}: {clean(gaps[0].why)}")


def _is_only_put(forward: ForwardPass, name: str) -> bool:
    """Whether a name is read only to put the array, or views of it, into a dictionary, whose entries are the parameters then."""
    body = [s for s in forward.body if not isinstance(s, ast.FunctionDef | ast.ClassDef)]
    put = {id(n) for s in body for d in ast.walk(s) if isinstance(d, ast.Dict) for n in d.values}
    holders = {one.partition("[")[0] for one in forward.parameters if one.endswith("]")}
    stores = [s for one in body for s in ast.walk(one) if isinstance(s, ast.Assign) and base(s.targets[0]) in holders]
    cut = (
        n for s in stores for n in ast.walk(s.value) if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Slice)
    )
    put |= {id(n.value) for n in cut}  # a view of a part of it
    read = [
        n for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
    ]
    return bool(read) and all(id(n) in put for n in read)


def _needed(lines: Sequence[DerivedLine], gradients: Collection[str]) -> list[DerivedLine]:
    """The lines that these gradients are made by, directly or not."""
    needed = {ast.unparse(ast.parse(one)).partition("[")[0] for one in gradients}
    before = -1
    while before != len(needed):
        before = len(needed)
        for line in lines:
            if line.makes.partition("[")[0] in needed:
                needed |= set(re.findall(r"[A-Za-z_]\w*", line.text))
    kept = [line for line in lines if line.kind in BLOCKS or line.makes.partition("[")[0] in needed or not line.makes]
    return [one for k, one in enumerate(kept) if one.kind not in BLOCKS or _is_deeper(kept[k + 1 : k + 2], one)]


def _read_later(lines: Sequence[DerivedLine], wanted: Collection[str]) -> list[DerivedLine]:
    """Without the last lines that make what nothing reads."""
    kept, read = list[DerivedLine](), {ast.unparse(ast.parse(one)).partition("[")[0] for one in wanted}
    for k, line in enumerate(reversed(lines)):
        if line.text.startswith(" ") or line.kind in BLOCKS:
            return [*lines[: len(lines) - k], *kept]
        if not line.makes or line.makes.partition("[")[0] in read:
            kept.insert(0, line)
            read |= set(re.findall(r"[A-Za-z_]\w*", line.text))
    return kept


def _of_use(keeps: Sequence[Keep], lines: Sequence[DerivedLine]) -> list[Keep]:
    """What these lines read of what is kept, directly or not."""
    texts, found = [line.text for line in lines], list[Keep]()
    while True:
        words = {
            word for text in (*texts, *(keep.text for keep in found)) for word in re.findall(r"[A-Za-z_]\w*", text)
        }
        more = [keep for keep in keeps if keep.replaces or _MADE.findall(keep.text)[0] in words]
        if len(more) == len(found):
            return more
        found = more


def _is_deeper(following: Sequence[DerivedLine], line: DerivedLine) -> bool:
    """Whether a loop still has a body."""
    return any(len(one.text) - len(one.text.lstrip()) > len(line.text) - len(line.text.lstrip()) for one in following)
