"""Lines without needless copies: what is only another name for a value just made is called by one name."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from engine.doctor.derive.derived import DerivedLine
from engine.doctor.derive.tree import reading_order
from engine.doctor.derive.tree.statements import targets
from engine.doctor.derive.tree.syntax_of import base

_COPY = re.compile(r"\s*([A-Za-z_]\w*) = ([A-Za-z_]\w*)")
_READ = re.compile(r"\s*([A-Za-z_]\w*) = ([A-Za-z_][\w.]*(?:\[[^=]*\])?)")
"""A name for a name, or for an entry."""


def factored(lines: Sequence[DerivedLine]) -> list[DerivedLine]:
    """The lines with `dz = dh * h` and `dz += -dh * n` as `dz = dh * (h - n)`, and what is added with a minus as what is taken off."""
    made = [replace(line, text=_taken_off(line.text)) for line in lines]
    k = 0
    while k < len(made):
        n = _same_factor(made, k)
        first, other = _product(made[k]), _product(made[n]) if n else None
        if n and first is not None and other is not None:
            more, less = (first.other, other.other) if first.is_added else (other.other, first.other)
            is_difference = first.is_added != other.is_added
            sum_ = f"{more} - {less}" if is_difference else f"{first.other} + {other.other}"
            sign = "" if is_difference or first.is_added else "-"
            text = f"{' ' * depth_of(made[k])}{first.name} = {sign}{first.factor} * ({sum_})"
            made[k] = replace(made[k], text=text)
            del made[n]
        else:
            k += 1
    return made


@dataclass(frozen=True)
class _AddedProduct:
    """What a product is added to or taken off, the first factor and the other one."""

    name: str
    factor: str
    other: str
    is_added: bool


def _same_factor(lines: Sequence[DerivedLine], k: int) -> int:
    """The line that adds a product with the same factor to what line `k` makes, before anything reads it; 0 where there is none."""
    first = _product(lines[k])
    if first is None or " += " in lines[k].text or " -= " in lines[k].text:
        return 0
    between = set[str]()
    for n in range(k + 1, len(lines)):
        if depth_of(lines[n]) != depth_of(lines[k]):
            return 0
        other = _product(lines[n])
        is_same = other is not None and (other.name, other.factor) == (first.name, first.factor)
        if is_same and not between & (loaded(lines[n]) - {first.name}):
            return n
        if first.name in stored(lines[n]) | loaded(lines[n]):
            return 0
        between |= stored(lines[n])
    return 0


def _taken_off(text: str) -> str:
    """`x -= a * b` of `x += -a * b`."""
    left, sign, right = text.partition(" += -")
    value = ast.parse(f"-{right}", mode="eval").body if sign and not right.startswith("(") else None
    while isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult | ast.Div | ast.MatMult):
        value = value.left
    return f"{left} -= {right}" if isinstance(value, ast.UnaryOp) else text


def _product(line: DerivedLine) -> _AddedProduct | None:
    """Of `dz = dh * h`, `dz = -dh * h`, `dz += dh * h` and `dz -= dh * h`."""
    found = re.fullmatch(r"\s*([A-Za-z_]\w*) ([+-]?)= (.*)", line.text)
    value = ast.parse(found[3], mode="eval").body if found and line.kind == "back" else None
    if found is None or not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Mult):
        return None
    is_sum = isinstance(value.right, ast.BinOp) and isinstance(value.right.op, ast.Add | ast.Sub)
    left, is_added = value.left, found[2] != "-"
    if isinstance(left, ast.UnaryOp) and isinstance(left.op, ast.USub):
        left, is_added = left.operand, not is_added
    if is_sum or not isinstance(left, ast.Name):
        return None
    return _AddedProduct(found[1], left.id, ast.unparse(value.right), is_added)


def without_detours(lines: Sequence[DerivedLine], wanted: Collection[str]) -> list[DerivedLine]:
    """The lines without zeros of which one part is written, `dx[2:] += dy`, where only that part is read, once: `dy` in its place."""
    made = list(lines)
    for k, line in enumerate(lines):
        name = line.makes if line.kind == "init" and " = np.zeros" in line.text else ""
        put = [n for n in range(k + 1, len(lines)) if name and name in stored(lines[n])]
        read = [n for n in range(k + 1, len(lines)) if name and name in loaded(lines[n]) and n not in put]
        if len(put) != 1 or len(read) != 1 or name in wanted or len({depth_of(lines[n]) for n in (k, *put, *read)}) > 1:
            continue
        (n,), (m,) = put, read
        part, _, value = lines[n].text.strip().partition(" += ")
        between = set[str]().union(*(stored(lines[j]) for j in range(n + 1, m)))
        is_part = part.startswith(f"{name}[") and value and n < m and not between & (loaded(lines[n]) - {name})
        if is_part and lines[m].text.count(part) == 1 and len(re.findall(rf"\b{name}\b", lines[m].text)) == 1:
            shown = f"({value})" if isinstance(ast.parse(value, mode="eval").body, ast.BinOp | ast.UnaryOp) else value
            text = ast.unparse(ast.parse(lines[m].text.strip().replace(part, shown)))
            made[m] = replace(made[m], text=" " * depth_of(lines[m]) + text)
            return without_detours([one for j, one in enumerate(made) if j not in (k, n)], wanted)
    return made


def without_copies(lines: Sequence[DerivedLine], wanted: Collection[str]) -> list[DerivedLine]:
    """The lines without `df = dz` where either name will do. The names that are `wanted` stay."""
    made = list(lines)
    k = 0
    while k < len(made):
        found = _COPY.fullmatch(made[k].text) if made[k].kind == "back" else None
        read = _READ.fullmatch(made[k].text) if made[k].kind == "back" else None
        changed = _renamed(made, k, found[1], found[2], wanted) if found else None
        if read and changed is None:
            changed = _summed(made, k, read[1], read[2])
        if changed is None:
            k += 1
        else:
            made = changed
    return made


def _renamed(
    lines: list[DerivedLine], k: int, name: str, source: str, wanted: Collection[str]
) -> list[DerivedLine] | None:
    """The lines without the copy of line `k`; None where both names are needed."""
    depth = depth_of(lines[k])
    first = next((n for n in range(k, 0, -1) if depth_of(lines[n - 1]) < depth), 0)
    end = next((n for n in range(k, len(lines)) if depth_of(lines[n]) < depth), len(lines))
    made = [n for n in range(len(lines)) if source in stored(lines[n])]
    read = [n for n in range(len(lines)) if source in loaded(lines[n])]
    start = max((n for n in made if first <= n < k), default=None)
    between = range(k if start is None else start, k)
    again = next((n for n in made if n > k), len(lines))
    is_free = not any(name in stored(lines[n]) or (name in loaded(lines[n]) and n != start) for n in between)
    is_own = all(any(m in made for m in range(first, n)) for n in read)
    is_own = is_own and [n for n in read if between.start <= n <= again] == [k]
    earlier: list[DerivedLine] | None = None
    if source not in wanted and start is not None and is_free and is_own and depth_of(lines[start]) == depth:
        changed = replace(lines[start], text=_with(lines[start].text, source, name), makes=name)
        earlier = [*lines[:start], changed, *lines[start + 1 : k], *lines[k + 1 :]]
    uses = [n for n in range(len(lines)) if name in loaded(lines[n])]
    is_once = [n for n in range(len(lines)) if name in stored(lines[n])] == [k]
    later = [n for n in made if k < n < end]  # it may have another value when all is read
    is_same = all(depth_of(lines[n]) == depth and n >= max(uses, default=k) for n in later)
    is_kept = name in wanted or not is_once or not all(k < n < end for n in uses) or not is_same
    if is_kept or (earlier is not None and len(made) == 1):
        return earlier
    changed_lines = [
        replace(one, text=_with(one.text, name, source)) if n in uses else one for n, one in enumerate(lines)
    ]
    return [*changed_lines[:k], *changed_lines[k + 1 :]]


def _summed(lines: list[DerivedLine], k: int, name: str, source: str) -> list[DerivedLine] | None:
    """The lines with `dh = dh_next`, the copy of line `k`, and `dh = dh + dy @ Wy.T` as one; None where something comes between them."""
    read = loaded(lines[k])
    for n in range(k + 1, len(lines)):
        line = lines[n]
        if depth_of(line) != depth_of(lines[k]) or (read - {name}) & stored(line):
            return None
        sum_ = re.fullmatch(rf"(\s*){name} = {name} \+ (.+)", line.text)
        if sum_ and name not in loaded(replace(line, text=sum_[2])):
            made = replace(line, text=f"{sum_[1]}{name} = {source} + {sum_[2]}")
            return [*lines[:k], *lines[k + 1 : n], made, *lines[n + 1 :]]
        if name in stored(line) | loaded(line):
            return None
    return None


def depth_of(line: DerivedLine) -> int:
    """How far a line is indented."""
    return len(line.text) - len(line.text.lstrip())


def _with(text: str, name: str, other: str) -> str:
    return re.sub(rf"(?<![\w.'\"]){name}(?!\w)", other, text)


def parsed_line(line: DerivedLine) -> ast.Module:
    """Its tree."""
    text = line.text.strip()
    return ast.parse(f"{text} pass" if text.endswith(":") else text)


def stored(line: DerivedLine) -> set[str]:
    """The names that a line gives a value, or of which it changes entries."""
    written = (t for statement in parsed_line(line).body for t in targets(statement))
    return {base(t).partition(".")[0].partition("[")[0] for t in written}


def loaded(line: DerivedLine) -> set[str]:
    """The names that a line reads."""
    return reading_order.loaded(parsed_line(line))
