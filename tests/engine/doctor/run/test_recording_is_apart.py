"""What runs in the user's process needs nothing of this project, and nothing newer than Python 3.8."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from engine.doctor.run.launch import RECORDING

FILES = sorted(RECORDING.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_python_3_8_and_imports_numpy_and_python_alone(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            assert top == "numpy" or top in sys.stdlib_module_names, f"line {node.lineno} imports {name}"
    later = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    annotated = [n for n in ast.walk(tree) if getattr(n, "annotation", None) or getattr(n, "returns", None)]
    assert later or not annotated, "annotations are not to be evaluated: from __future__ import annotations"


def test_the_package_is_loaded_under_its_own_name_alone(tmp_path: Path) -> None:
    """In a process in which nothing of this project can be found."""
    text = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('_apart', {str(RECORDING / '__init__.py')!r},"
        f" submodule_search_locations=[{str(RECORDING)!r}])\n"
        "module = importlib.util.module_from_spec(spec); sys.modules['_apart'] = module; spec.loader.exec_module(module)\n"
        "import _apart.confined.confinement, _apart.plain\n"
        "assert not [name for name in sys.modules if name.startswith(('engine', 'rnn_tui'))]\n"
        "assert 'numpy' not in sys.modules, 'the confinement needs no NumPy'\n"
    )
    subprocess.run([sys.executable, "-I", "-c", text], check=True, cwd=tmp_path)
