"""What lines of a backward pass read and give values, and lines with other names in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from engine.doctor.derive.derived import AS_BEFORE, KEPT, DerivedLine
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.forward.steps import singular
from engine.doctor.derive.proof.reach import names_of, parsed_statement, stored_names
from engine.doctor.derive.tree.syntax_of import base, names, parsed, path


def entries_named(
    body: list[DerivedLine], counters: Collection[str], known: Mapping[str, str]
) -> tuple[list[DerivedLine], dict[str, str]]:
    """The body with a name for each entry that the loops of the caller count out, and these entries by their names."""
    made = set[str]().union(*map(stored, body))
    found: dict[str, str] = {}

    class _Found(ast.NodeTransformer):
        def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
            read = names(node)
            text = ast.unparse(node)
            is_entry = read & set(counters) or text in known
            if not isinstance(node.ctx, ast.Load) or not is_entry or read & made:
                return self.generic_visit(node)
            return self._named(text, node)

        def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
            text = ast.unparse(node)
            is_given = isinstance(node.ctx, ast.Load) and text in known and not names(node) & made
            return self._named(text, node) if is_given else self.generic_visit(node)

        def _named(self, text: str, node: ast.expr) -> ast.AST:
            found.setdefault(text, "")
            return ast.copy_location(ast.Name(found[text] or "_", ast.Load()), node)

    for line in body:
        changed(line, _Found())
    again = {k: one.group(1, 2) for k, line in enumerate(body) if (one := re.fullmatch(r"(\w+) = (.+)", line.text))}
    again = {k: (name, text) for k, (name, text) in again.items() if text in found and body[k].kind == "init"}
    known = {**known, **{text: name for name, text in again.values()}}
    body = [line for k, line in enumerate(body) if k not in again]
    given = {(text, name) for name, text in again.values()}
    inside = set[str]().union(*map(ordered, body))
    for text in sorted(found, key=lambda one: "+ 1" not in one):
        word = _one_of(base(parsed(text)))
        options = (known.get(text, word), word, f"{word}_prev", *(f"{word}_{k}" for k in range(2, 50)))
        free = (n for n in options if n not in inside and n not in found.values())
        found[text] = next(free) if (text, known.get(text)) not in given else known[text]
    return [changed(line, _Found()) for line in body], {name: text for text, name in found.items()}


def _one_of(name: str) -> str:
    """What one of several is called: `memory` of `memories`, `h` of `hs` and `h_kept`, `s` of `all_s`."""
    word = name.rpartition(".")[2].removesuffix("_kept")
    if word.startswith("all_"):
        return word.removeprefix("all_")
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return (word[:-2] if word.endswith(("sses", "xes", "ches")) else singular(word)) or "part"


def rewritten(line: DerivedLine, own: Mapping[str, str], receiver: str) -> DerivedLine:
    """A line with the function's own names, and `self` for the object that it is a method of."""

    class _Own(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            name = "self" if node.id == receiver else own.get(node.id, node.id)
            return parsed(name) if isinstance(node.ctx, ast.Load) else ast.Name(name, node.ctx)

        def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
            return self._whole(node)

        def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
            return self._whole(node)

        def _whole(self, node: ast.Attribute | ast.Subscript) -> ast.AST:
            if receiver and ast.unparse(node) == receiver:
                return ast.copy_location(ast.Name("self", node.ctx), node)
            return self.generic_visit(node)

    return changed(line, _Own())


def changed(line: DerivedLine, by: ast.NodeTransformer) -> DerivedLine:
    """The line with its statement changed."""
    statement = parsed_statement(line.text)
    shown = ast.unparse(ast.fix_missing_locations(by.visit(statement)))
    indent = line.text[: width(line)]
    return replace(line, text=indent + (shown.split("\n")[0] if line.text.endswith(":") else shown))


def width(line: DerivedLine) -> int:
    """How far it is indented."""
    return len(line.text) - len(line.text.lstrip())


def ordered(line: DerivedLine) -> list[str]:
    """All names of a line, as they come."""
    return [name for name, _ in names_of(line.text)]


def stored(line: DerivedLine) -> set[str]:
    """The names that a line gives values."""
    return stored_names(line.text)


def loaded(line: DerivedLine, *, is_sum: bool = True) -> set[str]:
    """The names that a line reads; what it adds to is read too."""
    read = {name for name, is_stored in names_of(line.text) if not is_stored}
    adds_to = is_sum and isinstance(parsed_statement(line.text), ast.AugAssign)
    return read | (stored(line) if adds_to else set())


def needed(lines: Sequence[DerivedLine]) -> Iterator[str]:
    """The names that lines read before they write them."""
    written: set[str] = set()
    for line in lines:
        made = stored(line)
        read = loaded(line) - written - (made if "for " in line.text else set[str]())
        yield from (n for n in ordered(line) if n in read)
        written |= made


def targets_inside(lines: Sequence[DerivedLine]) -> set[str]:
    """What the loops among lines count with."""
    return set[str]().union(*(stored(line) for line in lines if line.text.endswith(":")))


def adds(line: DerivedLine) -> bool:
    """Whether it only adds to what it makes."""
    statement = parsed_statement(line.text)
    return isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add)


def is_computed(line: DerivedLine) -> bool:
    """Whether a line computes something, and does not only read it."""
    value = getattr(parsed_statement(line.text), "value", None)
    return isinstance(value, ast.expr) and not (path(value) or isinstance(value, ast.Subscript))


def own_names(body: list[DerivedLine], forward: ForwardPass, tree: ast.Module) -> list[DerivedLine]:
    """The lines with what a called function's local is called there, where nothing is called so where they stand."""
    defined = [s for s in tree.body if isinstance(s, ast.FunctionDef | ast.ClassDef)]
    taken = {s.name for s in defined} | names(ast.Module([s for s in tree.body if s not in defined], []))
    if forward.function is not None:
        taken |= names(forward.function) | {a.arg for a in ast.walk(forward.function.args) if isinstance(a, ast.arg)}
    used = {n for line in body for n in ordered(line)}
    own: dict[str, str] = {}
    for name in used & {n for line in body for n in stored(line)} & set(forward.flat.hidden):
        if (word := forward.flat.own_name(name)) not in taken | used | set(own.values()):
            own[name] = word
    return [rewritten(line, own, "") for line in body] if own else body


_ENTRY = re.compile(r"\s*([A-Za-z_]\w*) = ([A-Za-z_][\w.]*(?:\[[^=]+\])+)")


def without_new_names(body: list[DerivedLine], theirs: Collection[str]) -> list[DerivedLine]:
    """The lines without names that are none of `theirs`, for entries: the entry stands where it is read."""
    for k, line in enumerate(body):
        found = _ENTRY.fullmatch(line.text)
        name, entry = found.groups() if found else ("", "")
        if not found or name in theirs or line.why not in (AS_BEFORE, KEPT):
            continue
        uses = [n for n, one in enumerate(body) if name in loaded(one)]
        wide = width(line)
        end = next((n for n in range(k, len(body)) if width(body[n]) < wide), len(body))
        changed_between = set[str]().union(*(stored(one) for one in body[k : max(uses, default=k)]))
        is_once = sum(name in stored(one) for one in body) == 1
        if is_once and all(k < n < end for n in uses) and not names(parsed(entry)) & changed_between:
            rest = [rewritten(one, {name: entry}, "") if n in uses else one for n, one in enumerate(body)]
            return without_new_names([*rest[:k], *rest[k + 1 :]], theirs)
    return body


def named_anew(body: list[DerivedLine], outputs: list[str]) -> tuple[list[DerivedLine], list[str]]:
    """What is given and given back under one name has another one in the end: `dh_prev` of dh."""
    read, made = set(needed(body)), list(body)
    for k, name in enumerate(outputs):
        n = max((n for n, line in enumerate(body) if name in stored(line)), default=None)
        new = f"{name.removesuffix('_next')}_prev"
        if n is None or name not in read or any(name in loaded(line) for line in body[n + 1 :]):
            continue
        if body[n].text.startswith(f"{name} = ") and not any(new in ordered(line) for line in body):
            made[n] = replace(body[n], text=body[n].text.replace(name, new, 1), makes=new)
            outputs = [*outputs[:k], new, *outputs[k + 1 :]]
    return made, outputs


SHOWN = (("forward", "backward"), ("Forward", "Backward"), ("fprop", "bprop"), ("fwd", "bwd"))


def backward_name(name: str, taken: Collection[str]) -> str:
    """`rnn_backward` of `rnn_forward`, `step_backward` of `step`."""
    if name == "__call__":
        name = "forward"
    shown = next((name.replace(one, other) for one, other in SHOWN if one in name), f"{name}_backward")
    return next(n for n in (shown, *(f"{shown}{k}" for k in range(2, 50))) if n not in taken)
