"""Lists, dictionaries and arrays that a loop fills, an entry a round: `hs[t] = ...`, `hs.append(...)`, `a[:, t] = ...`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from engine.doctor.derive.forward.flat_pass import BEFORE
from engine.doctor.derive.forward.passes import Definition, ForwardPass
from engine.doctor.derive.tree.statements import appended, step_of, stop_of, targets
from engine.doctor.derive.tree.syntax_of import base, parsed, path
from engine.doctor.mending.edits.atoms import replaced


@dataclass(frozen=True, eq=False)
class Filled:
    """A container that one statement of a loop fills. `pattern` is the index with the step left out, `offset` what is added to the step;
    for lists, `offset` is how many entries there were before the loop."""

    name: str
    made: Definition
    loop: ast.For
    is_list: bool
    pattern: str
    offset: int
    value: ast.expr


SPELT = "STEP_"


def singular(name: str) -> str:
    """`h` of `hs` and `h_s`, `state` of `states`."""
    word = name.rpartition(".")[2].partition("[")[0].removesuffix(BEFORE)
    return (word[:-1].rstrip("_") or word) if len(word) > 1 and word.endswith("s") and not word.endswith("ss") else word


class Steps:
    """The filled containers of a forward pass."""

    def __init__(self, forward: ForwardPass) -> None:
        self._forward = forward
        self._filled = {name: one for name in forward.definitions if (one := self._found(name)) is not None}
        self.used: dict[str, str] = {}
        """dL/d(container) by the container's name, where there is one."""

    def get(self, name: str) -> Filled | None:
        return self._filled.get(name)

    def _found(self, name: str) -> Filled | None:
        inside = [d for d in self._forward.definitions.get(name, []) if d.loops and _fills(d, name)]
        inside = [d for d in inside if len(d.loops) == max(len(one.loops) for one in inside)]
        if len(inside) != 1:
            return None
        (made,) = inside
        loop = made.loops[-1]
        before = [d for d in self._forward.definitions[name] if d is not made]
        put = appended(made.statement)
        if put is not None:
            return Filled(name, made, loop, True, "", _initial(before, name), put)
        if isinstance(made.statement, ast.Assign):
            target = next(t for t in targets(made.statement) if base(t) == name)
            step = step_of(loop)
            parts = split(target, step) if step else None
            if parts is not None:
                return Filled(name, made, loop, False, parts[0], parts[1], made.statement.value)
        return None

    def relation(self, node: ast.expr, statement: ast.stmt) -> str:
        """`new`, `old` or `last` where an entry is the one that this round, the round before or the last round made; "" where not."""
        filled = self._filled.get(base(node))
        if filled is None or not isinstance(node, ast.Subscript) or path(node):
            return ""
        order, made = self._forward.order[statement], filled.made
        inside = filled.loop in self._forward.loops[statement]
        is_last = ast.unparse(node.slice) == "-1" and base(node) == path(node.value)
        if inside:
            if filled.is_list and is_last:
                return "new" if order > made.order else "old"
            parts = split(node, step_of(filled.loop) or "")
            if parts is None or parts[0] != (filled.pattern or "{}"):
                return ""
            later = 0 if not filled.is_list else filled.offset
            distance = parts[1] - (later if filled.is_list else filled.offset)
            return {0: "new", -1: "" if self._reads_far(filled) else "old"}.get(distance, "")
        if order < made.order:
            return ""
        if is_last or self._is_end(node, filled):
            return "last"
        return ""

    def _reads_far(self, filled: Filled) -> bool:
        """Whether a round reads entries that were made two rounds before, or earlier: all of them are read by their index then."""
        step = step_of(filled.loop) or ""
        nodes = [n for s in filled.loop.body for n in ast.walk(s) if isinstance(n, ast.Subscript)]
        parts = [split(n, step) for n in nodes if base(n) == filled.name and not path(n)]
        return not filled.is_list and any(
            one is not None and one[0] == filled.pattern and one[1] < filled.offset - 1 for one in parts
        )

    def _is_end(self, node: ast.Subscript, filled: Filled) -> bool:
        """Whether an index names the last entry: `h[T]` where `h[t + 1]` is filled for t in range(T)."""
        stop = stop_of(filled.loop)
        if stop is None:
            return False
        last = ast.unparse(plus_number(stop, filled.offset - 1))
        return ast.unparse(node.slice) == (filled.pattern.replace("{}", last) if filled.pattern else last)

    def in_loop(self, loop: ast.For) -> list[str]:
        return [name for name, filled in self._filled.items() if filled.loop is loop]

    def is_carried(self, name: str) -> bool:
        """Whether a round reads what the round before made."""
        filled = self._filled[name]
        for statement in ast.walk(filled.loop):
            if (
                isinstance(statement, ast.stmt)
                and statement in self._forward.order
                and not isinstance(statement, ast.For)
            ):
                for node in ast.walk(statement):
                    if (
                        isinstance(node, ast.Subscript)
                        and base(node) == name
                        and self.relation(node, statement) == "old"
                    ):
                        return True
        return False

    def last_text(self, name: str) -> str:
        """The entry of the last round, after the loop."""
        filled = self._filled[name]
        stop = stop_of(filled.loop)
        if stop is not None and self.is_dict(name):
            end = ast.unparse(plus_number(stop, filled.offset - 1))
            return f"{name}[{filled.pattern.replace('{}', end)}]"
        if filled.is_list or not filled.pattern.replace("{}", ""):
            held = self._forward.flat.fields.get(name, ("", ()))[0]
            grows = any(appended(s) is not None and path(next(targets(s))) == held for s in filled.loop.body)
            is_last = filled.is_list or grows or stop in (None, f"len({held})") or filled.offset == 1
            return f"{name}[-1]" if is_last else f"{name}[{ast.unparse(plus_number(stop or '', -1))}]"
        return f"{name}[{filled.pattern.replace('{}', '-1')}]"

    def shape(self, name: str) -> tuple[int, ...] | None:
        return self._forward.shapes.shape(self._filled[name].value)

    def put_away(self, name: str, statement: ast.stmt) -> str:
        """The container whose last entry a name is behind a loop that carries the container on and puts the name into it; ""."""
        for container, filled in self._filled.items():
            is_behind = filled.loop not in self._forward.loops[statement]
            is_behind = is_behind and self._forward.order[statement] > filled.made.order
            if is_behind and path(filled.value) == name and self.is_carried(container):
                return container
        return ""

    def container(self, name: str) -> str:
        """What dL/d(the whole container) is called, where it is used; ""."""
        return self.used.get(name, "")

    def use_container(self, name: str) -> str:
        word = name.rpartition(".")[2].partition("[")[0]
        return self.used.setdefault(
            name, f"d{word}_all" if singular(name) == word and self._is_read_by_step(name) else f"d{word}"
        )

    def _is_read_by_step(self, name: str) -> bool:
        """Whether a statement reads the entry of this round or the one before, which has a gradient of its own then."""
        for statement in (s for s in ast.walk(ast.Module(self._forward.body, [])) if isinstance(s, ast.stmt)):
            if statement in self._forward.order and not isinstance(statement, ast.For):
                reads = (n for n in ast.walk(statement) if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Load))
                if any(base(n) == name and self.relation(n, statement) for n in reads):
                    return True
        return False

    def zeros(self, name: str) -> str:
        """Zeros for dL/d(the whole container)."""
        filled = self._filled.get(name)
        if filled is not None and not filled.is_list and self.is_dict(name):
            return f"{{t: np.zeros_like({singular(name)}_t) for t, {singular(name)}_t in {name}.items()}}"
        if name in self._forward.flat.fields:
            held, attributes = self._forward.flat.fields[name]
            one = singular(held)
            return f"[np.zeros_like({'.'.join([one, *attributes])}) for {one} in {held}]"
        return f"[np.zeros_like({singular(name)}_t) for {singular(name)}_t in {name}]"

    def is_dict(self, name: str) -> bool:
        for d in self._forward.definitions.get(name, []):
            value = getattr(d.statement, "value", None)
            parts = [value, *(value.elts if isinstance(value, ast.Tuple) else [])]
            if any(isinstance(v, ast.Dict) for v in parts):
                return True
        return False


def _fills(one: Definition, name: str) -> bool:
    if appended(one.statement) is not None:
        return True
    return isinstance(one.statement, ast.Assign) and any(
        isinstance(t, ast.Subscript) and not path(t) and base(t) == name for t in targets(one.statement)
    )


def _initial(before: list[Definition], name: str) -> int:
    count = 0
    for one in before:
        value = getattr(one.statement, "value", None)
        if isinstance(value, ast.List) and any(path(t) == name for t in targets(one.statement)):
            count = len(value.elts)
        elif appended(one.statement) is not None:
            count += 1
    return count


def split(node: ast.expr, step: str) -> tuple[str, int] | None:
    """An index as a pattern with the step left out, and what is added to the step: `(":, {}", 1)` of `a[:, t + 1]`."""
    if not isinstance(node, ast.Subscript) or base(node) != path(node.value):
        return None
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    pattern: list[str] = []
    offset: int | None = None
    for part in parts:
        found = _counted(part, step)
        if found is not None and offset is None:
            offset = found[1]
            pattern.append(found[0])
        else:
            pattern.append(
                ast.unparse(part)
                if not isinstance(part, ast.Slice)
                else ":"
                if part == part and ast.unparse(part) == ":"
                else "?"
            )
    if offset is None or "?" in pattern:
        return None
    while len(pattern) > 1 and pattern[-1] == ":":
        pattern.pop()
    return ", ".join(pattern), offset


def _counted(part: ast.expr, step: str) -> tuple[str, int] | None:
    """An index with the step left out and what is added to it: `{}` of `t + 1`, `'s-' + str({})` of a key that is spelt."""
    added = _added(part, step)
    if added is not None:
        return "{}", added
    if not any(isinstance(n, ast.Constant) and isinstance(n.value, str) for n in ast.walk(part)):
        return None
    inside = [n for n in ast.walk(part) if isinstance(n, ast.expr) and _added(n, step) is not None]
    named = [n for n in ast.walk(part) if isinstance(n, ast.Name) and n.id == step]
    if not inside or len(named) != 1:
        return None
    spelt = replaced(part, lambda n: ast.Name(SPELT, ast.Load()) if n is inside[0] else None)
    return ast.unparse(spelt).replace(SPELT, "{}"), _added(inside[0], step) or 0


def _added(node: ast.expr, step: str) -> int | None:
    if isinstance(node, ast.Name) and node.id == step:
        return 0
    if (
        isinstance(node, ast.BinOp)
        and isinstance(node.left, ast.Name)
        and node.left.id == step
        and isinstance(node.right, ast.Constant)
    ):
        number = node.right.value
        if isinstance(number, int):
            return number if isinstance(node.op, ast.Add) else -number if isinstance(node.op, ast.Sub) else None
    return None


def plus_number(text: str, number: int) -> ast.expr:
    """`t`, `t + 1`, `t - 1`; of `T - 1 - t` `T - t`, of a number the other number."""
    terms = list(_terms(parsed(text), 1))
    numbers = [sign * n.value for n, sign in terms if isinstance(n, ast.Constant) and isinstance(n.value, int)]
    rest = [(n, sign) for n, sign in terms if not (isinstance(n, ast.Constant) and isinstance(n.value, int))]
    total = sum(numbers) + number
    if not rest:
        return parsed(str(total))
    rest.sort(key=lambda one: one[1] < 0)
    made = "".join(f" {'+' if sign > 0 else '-'} {ast.unparse(n)}" for n, sign in rest)
    made = made.removeprefix(" + ") if made.startswith(" + ") else made.replace(" - ", "-", 1)
    return parsed(made + (f" {'+' if total > 0 else '-'} {abs(total)}" if total else ""))


def _terms(node: ast.expr, sign: int) -> Iterator[tuple[ast.expr, int]]:
    """What a sum adds up, each with its sign."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield from _terms(node.left, sign)
        yield from _terms(node.right, sign if isinstance(node.op, ast.Add) else -sign)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield from _terms(node.operand, -sign)
    else:
        yield node, sign
