"""Functions that a program holds, `self.activation(z)`, `ACTIVATIONS[kind](z)`: each call is of the function that the run saw there."""

from __future__ import annotations

import ast

from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.syntax_of import parsed, path


def with_functions_named(tree: ast.Module, shapes: SeenShapes) -> ast.Module:
    """The tree itself, with the names of functions in calls of what holds them."""
    defined = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        found = shapes.function(call.func)
        if found is None:
            continue
        name, is_numpy = found
        if path(call.func) != name and (is_numpy or name in defined):
            function = ast.copy_location(parsed(f"np.{name}" if is_numpy else name), call.func)
            call.func = ast.fix_missing_locations(function)
    return tree
