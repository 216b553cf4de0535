"""How the rounds of a loop are counted on the way back, and the loop the other way round."""

from __future__ import annotations

import ast

from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.forward.steps import plus_number
from engine.doctor.derive.tree.statements import step_of
from engine.doctor.derive.tree.syntax_of import called, names


class Counters:
    """The counters of a forward pass's loops: those that they have, and new ones for those without."""

    def __init__(self, forward: ForwardPass) -> None:
        self._forward = forward
        self._counters: dict[ast.For, str] = {}

    def of(self, loop: ast.For) -> str:
        """What counts the rounds of a loop, from 0 on."""
        step = step_of(loop)
        if step is not None and called(loop.iter) == "enumerate":
            return step
        if step is not None and isinstance(loop.iter, ast.Call):
            arguments = loop.iter.args
            if called(loop.iter) == "reversed" and isinstance(arguments[0], ast.Call) and len(arguments[0].args) == 1:
                return f"{_wrapped(arguments[0].args[0])} - 1 - {step}"
            if len(arguments) == 1:
                return step
            if len(arguments) == 2:
                return f"{step} - {_wrapped(arguments[0])}"
            if len(arguments) == 3 and ast.unparse(arguments[2]) == "-1":
                return f"{_wrapped(arguments[0])} - {step}"
            if len(arguments) == 3 and ast.unparse(arguments[2]).isdigit():
                first = ast.unparse(arguments[0])
                return f"{step if first == '0' else f'({step} - {first})'} // {ast.unparse(arguments[2])}"
        if loop not in self._counters:
            inside = names(ast.Module(body=[loop], type_ignores=[])) | set(self._counters.values())
            free = (
                n
                for n in ("t", "k", "i", "j", "n", "s", "step", "number")
                if n not in inside and not self._is_data(n, loop)
            )
            self._counters[loop] = next(free)
        return self._counters[loop]

    def _is_data(self, name: str, loop: ast.For) -> bool:
        """Whether a name has a value where a loop stands."""
        around = self._forward.loops[loop]
        made = self._forward.definitions.get(name, [])
        return any(not d.loops or any(one in around for one in d.loops) for d in made)

    def header(self, loop: ast.For) -> str:
        """The loop the other way round."""
        target, iterated = ast.unparse(loop.target), ast.unparse(loop.iter)
        name = called(loop.iter)
        if loop in self._counters or name in ("zip", "enumerate") or name not in ("range", "arange", "reversed"):
            step = self.of(loop)
            first = loop.iter.args[0] if isinstance(loop.iter, ast.Call) and name in ("zip", "enumerate") else loop.iter
            return f"for {step} in reversed(range(len({ast.unparse(first)}))):"
        if name == "reversed" and isinstance(loop.iter, ast.Call):
            return f"for {target} in {ast.unparse(loop.iter.args[0])}:"
        if isinstance(loop.iter, ast.Call) and len(loop.iter.args) == 3 and ast.unparse(loop.iter.args[2]) == "-1":
            first, last = (ast.unparse(plus_number(ast.unparse(end), 1)) for end in reversed(loop.iter.args[:2]))
            return f"for {target} in range({last if first == '0' else f'{first}, {last}'}):"
        return f"for {target} in reversed({iterated}):"


def _wrapped(node: ast.expr) -> str:
    text = ast.unparse(node)
    return f"({text})" if isinstance(node, ast.BinOp) else text
