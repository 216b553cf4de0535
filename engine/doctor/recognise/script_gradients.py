"""The gradients that a script computed, by what they are called and by their values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.doctor.read.kinds import is_array
from engine.doctor.recognise.script_problem import ScriptProblem, gradient_meant
from engine.doctor.reference import layouts
from engine.doctor.reference.values import Reference
from engine.doctor.vocabulary.packing import is_role
from engine.doctor.vocabulary.targets import final_name
from engine.language.functions import Array


def gradients_of(found: ScriptProblem, reference: Reference) -> dict[str, Array]:
    """The last value of each gradient before the first update, in our layout."""
    result: dict[str, Array] = {}
    problem, cell = found.problem, found.problem.network.table
    shapes = {
        r: layouts.weight(r, problem, found.layout).size for r in (*found.arrays, *cell.parameters) if is_role(r, cell)
    }
    held = found.held
    for event in found.events:
        value = event.array if event.array is not None else (event.value if is_array(event.value) else None)
        if value is None or event.site.kind in ("part", "increment", "append"):
            continue
        meant = gradient_meant(found, event.target)
        if meant in shapes and value.size == shapes[meant]:
            own = layouts.weight_back(meant, value.astype(float), problem, found.layout)
            result |= {name: part for name, part in own.items() if name in held}
    for event in found.events if held - result.keys() else ():
        if event.array is None or found.meaning.role(final_name(event.target)) is not None:
            continue
        for match in reference.matches(event.array):
            name = match.entry.name.removeprefix("d")
            if match.entry.kind == "value" and name in held and match.entry.is_gradient and name not in result:
                result |= layouts.weight_back(name, event.array.astype(float), problem, found.layout)
    return {name: -value for name, value in result.items()} if _is_added(found, result) else result


def _is_added(found: ScriptProblem, gradients: Mapping[str, Array]) -> bool:
    """Whether the first update adds what is called the gradient: then it is the direction of descent."""
    problem, cell = found.problem, found.problem.network.table
    value = found.update.value if found.update is not None else None
    if not is_array(value):
        return False
    for role in found.arrays:
        if not is_role(role, cell) or value.shape != layouts.weight(role, problem, found.layout).shape:
            continue
        for name, part in layouts.weight_back(role, value.astype(float), problem, found.layout).items():
            change = part.ravel() - np.ravel(problem.parameters[name])
            gradient = np.ravel(gradients.get(name, np.zeros_like(part)))
            size = float(np.linalg.norm(change) * np.linalg.norm(gradient))
            if abs(float(change @ gradient)) > 0.9 * size > 0:
                return bool(change @ gradient > 0)
    return False
