"""The correction of a mistake's example, as the doctor would find it, without the search."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.doctor.lineage.record.reading import Record, UserLine
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.mending.around.loops import headers
from engine.doctor.mending.edits import edits
from engine.doctor.mending.edits.atoms import atoms_in
from engine.doctor.mending.edits.edits import StatementEdit
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.naming import names, unedited
from engine.doctor.mending.naming.correction import Correction
from engine.doctor.mistakes.mistake import Example
from engine.doctor.recording.trials.terms import WHOLE


def name_of(example: Example, verdict: RunVerdict, right: Record) -> str:
    """The name that the doctor gives when it has found this correction."""
    known = [name for name, _ in unedited.without_edit(verdict)]
    if known:
        return known[0]
    line = example.wrong_line
    for loop, made, order in headers(ast.parse(example.wrong_text), {line + 1}):
        if loop.lineno == line and f"for {text_of(loop.target)} in {made}:" == example.right:
            return names.of_loop(text_of(loop.iter), made, order=order)
    old, mended = _statement(example.wrong_text, line), _statement(example.right_text, line)
    kind = next((e.kind for e in _edits(example, old) if _same(e.statement, mended)), "")
    if not kind:
        return "no edit makes it"
    return names.name_of(Correction(kind, text_of(old), text_of(mended), UserLine("program.py", line), verdict, right))


def _statement(text: str, line: int) -> ast.stmt:
    simple = (ast.Assign, ast.AugAssign, ast.Expr)
    return next(n for n in ast.walk(ast.parse(text)) if isinstance(n, simple) and n.lineno == line)


def _edits(example: Example, statement: ast.stmt) -> Iterator[StatementEdit]:
    wanted = _statement(example.right_text, example.wrong_line)
    around = list(dict.fromkeys(text_of(a) for tree in (wanted, ast.parse(example.wrong_text)) for a in atoms_in(tree)))
    terms = [
        text_of(n) for n in ast.walk(wanted) if isinstance(n, ast.expr) and not isinstance(n, (ast.Tuple, ast.Slice))
    ]
    yield from edits.of_statement(statement, around)
    yield from edits.accumulation(statement)
    yield from edits.of_statement(statement, around, missing=True)
    for slot, template, _, _ in edits.holes(statement):
        if template == WHOLE:
            continue
        for term in terms:
            for sign in "+-*":
                kind = "factor-missing" if sign == "*" else "term-missing"
                yield StatementEdit(0, kind, template % f" {sign} {term}", "", None, slot)


def _same(made: str, wanted: ast.stmt) -> bool:
    text = text_of(wanted)
    return _letters(made) == _letters(text) and ast.dump(_plain(made)) == ast.dump(_plain(text))


def _letters(text: str) -> list[str]:
    return sorted(text.translate(_BRACKETS))


_BRACKETS = str.maketrans("", "", "() ")


def _plain(text: str) -> ast.AST:
    """Sums and products in one order, so that `a + b` is `b + a`."""
    return _Ordered().visit(ast.parse(text))


class _Ordered(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, (ast.Add, ast.Mult)):
            parts = sorted(_parts(node, type(node.op)), key=ast.dump)
            made = parts[0]
            for part in parts[1:]:
                made = ast.BinOp(made, node.op, part)
            return made
        return node


def _parts(node: ast.expr, operator: type) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, operator):
        return [*_parts(node.left, operator), *_parts(node.right, operator)]
    return [node]
