"""One name, one thing: no two classes of the project share a name, nor a class and a type alias, an underscore in front or not."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _named_types(tree: ast.Module, place: str) -> list[tuple[str, str]]:
    """(name, definition) of each class in a module, and of each type alias that the module starts with a capital letter."""
    classes = [(node.name, f"{place}:{node.lineno}") for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    named = [
        (node.targets[0].id, ast.unparse(node.value)) for node in assigned if isinstance(node.targets[0], ast.Name)
    ]
    return classes + [(name, value) for name, value in named if name.lstrip("_")[:1].isupper() and not name.isupper()]


def test_no_two_types_share_a_name() -> None:
    definitions: dict[str, set[str]] = defaultdict(set)
    for package in ("engine", "rnn_tui"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for name, definition in _named_types(ast.parse(path.read_text("utf-8")), str(path.relative_to(ROOT))):
                definitions[name.lstrip("_")].add(definition)
    assert len(definitions) > 200
    assert {name: found for name, found in definitions.items() if len(found) > 1} == {}
