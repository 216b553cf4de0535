"""The forward pass in one block, and of which call each of its names is."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from engine.doctor.derive.tree.statements import targets
from engine.doctor.derive.tree.syntax_of import path, shown_entries

BEFORE = "_before"


@dataclass(eq=False)
class Called:
    """A call that was put in its place: the function, the statement that calls it, the names of its locals there (in the block) by their
    names in the function, and what `self` is."""

    function: ast.FunctionDef
    statement: ast.stmt
    call: ast.Call
    renamed: dict[str, str]
    receiver: str
    inside: Called | None = None
    given: dict[str, str] = field(default_factory=dict[str, str])
    """What its arguments are where it is called, by their names in the function."""


@dataclass(frozen=True)
class Unpacked:
    """A call that gives views of the parts of a vector in which all weights are, `p = unpack(theta)`: the vector, the call with `{}` in its
    place, and the names that it gives, of a dictionary or of each part."""

    vector: str
    call: str
    names: tuple[str, ...]

    def gives(self, path: str) -> bool:
        """Whether a name or entry is a part of the vector."""
        return any(path == name if len(self.names) > 1 else path.startswith(f"{name}[") for name in self.names)


@dataclass(eq=False)
class FlatPass:
    """The statements, and of which call each local name is."""

    body: list[ast.stmt] = field(default_factory=list[ast.stmt])
    hidden: dict[str, Called] = field(default_factory=dict[str, Called])
    """Names of the block that the place of the backward pass does not know: locals of functions that were put in."""
    calls: list[Called] = field(default_factory=list[Called])
    within: dict[ast.stmt, ast.FunctionDef | None] = field(default_factory=dict[ast.stmt, ast.FunctionDef | None])
    """In whose text a loop stands; None of the block itself."""

    called_at: dict[ast.stmt, list[Called]] = field(default_factory=dict[ast.stmt, list[Called]])
    """For each statement of a function that was put in the calls of it, the innermost first. The statement itself is the key, so
    that it is kept: one that is made later may have the identity of one that is gone."""

    given_back: dict[str, str] = field(default_factory=dict[str, str])
    """What a function calls that which its caller gives a name to when it is returned, by the caller's name."""

    held: dict[str, str] = field(default_factory=dict[str, str])
    """The attributes of objects that stand under names of their own in the block."""

    fields: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict[str, tuple[str, tuple[str, ...]]])
    """What the objects of a list hold, by the name of the array that it is in the block: the list, and the attributes that lead to it."""

    lengths: dict[str, int] = field(default_factory=dict[str, int])
    """How many objects such a list has, by the list."""

    unnamed: dict[str, str] = field(default_factory=dict[str, str])
    """What the program computes and gives no name, by the name that it has in the block: its loss, where that is only printed."""

    entry_names: dict[str, str] = field(default_factory=dict[str, str])
    """What the entries of lists of weights are called where they are read, by their paths."""

    handed_on: set[str] = field(default_factory=set[str])
    """Names that a loop over objects that are unlike hands on from one to the next: their first value is another one than their last."""

    named_at: dict[ast.stmt, ast.stmt] = field(default_factory=dict[ast.stmt, ast.stmt])
    """The statement of the text that gives a value its name, where that is another one than the one that makes it."""

    unpacked: list[Unpacked] = field(default_factory=list[Unpacked])
    """The calls that give views of a vector's parts."""

    before: dict[str, tuple[str, ast.stmt]] = field(default_factory=dict[str, tuple[str, ast.stmt]])
    """Names for first values of names that get another one, and the statement that gives it to them."""

    def unpacks(self, statement: ast.stmt) -> Unpacked | None:
        """Which of these calls a statement is."""
        written = tuple(path(t) for t in targets(statement)) if isinstance(statement, ast.Assign) else ()
        return next((one for one in self.unpacked if one.names == written), None)

    def is_part(self, name: str) -> bool:
        """Whether it is a view of a part of a vector in which weights are."""
        return any(one.gives(name) for one in self.unpacked)

    def same(self, old: ast.stmt, new: ast.stmt) -> None:
        """A statement that takes the place of another one."""
        if old in self.called_at:
            self.called_at[new] = self.called_at[old]
        if old in self.within:
            self.within[new] = self.within[old]

    def together(self, one: ast.stmt, other: ast.stmt, both: ast.stmt) -> None:
        """A statement that takes the place of two: it is of the calls that both are of."""
        calls = [c for c in self.called_at.get(one, []) if c in self.called_at.get(other, [])]
        self.called_at[both] = calls
        self.within[both] = calls[0].function if calls else None

    def named_before(self, name: str, statement: ast.stmt) -> str:
        """A name for the value that a name has before a statement."""
        own = self.own_name(name)
        before = next(n for k in range(1, 50) if (n := f"{own}{BEFORE}{k if k > 1 else ''}") not in self.before)
        new = f"{name}{before.removeprefix(own)}"
        self.before[new] = name, statement
        inside = self.hidden.get(name) or next(iter(self.called_at.get(statement, [])), None)
        if inside is not None:
            self.hidden[new] = inside
            inside.renamed[before] = new
        return new

    def own_name(self, name: str) -> str:
        """What a name of the block is called in the function that it is a local of, or in the objects that hold it."""
        if name in self.fields:
            return self.fields[name][1][-1]
        renamed = self.hidden[name].renamed if name in self.hidden else {}
        return next((own for own, new in renamed.items() if new == name), self.given_back.get(name, name))

    def opened(self, function: ast.FunctionDef, name: str) -> str:
        """The block goes on in a function: its locals are known there by their own names, and its object is `self`. What one of them is
        called in the block."""
        own = [one for one in self.calls if one.function is function]
        self.hidden = {local: one for local, one in self.hidden.items() if one not in own}
        for one in own:
            self.held |= {new: name for name, new in one.renamed.items() if new != name and new not in self.given_back}
            if one.receiver and one.receiver.isidentifier():
                self.held[one.receiver] = "self"
        return next((one.renamed[name] for one in own if name in one.renamed), name)

    def shown(self, name: str) -> str:
        """A path of the block as it is written where the backward pass stands."""
        head, dot, rest = name.partition(".")
        return shown_entries(f"{self.held.get(head, head)}{dot}{rest}")

    def function_of(self, name: str) -> ast.FunctionDef | None:
        """The function whose local a name is."""
        return self.hidden[name].function if name in self.hidden else None
