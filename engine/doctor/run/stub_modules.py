"""Stub modules for packages that are not installed: those for plots and progress bars do nothing, those for data fail
only where they are used. Also rewrites single precision to double, because rounding in float32 hides small mistakes."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import types
from collections.abc import Iterator
from typing import Any, cast

_IDLE = (
    "matplotlib seaborn tqdm IPython ipywidgets plotly bokeh altair wandb tensorboard tensorboardX pandas_profiling "
    "numba google line_profiler memory_profiler progressbar"
)
_ABSENT = (
    "pandas sklearn scipy nltk torch torchvision tensorflow keras jax cupy h5py PIL cv2 skimage imageio requests bs4 "
    "statsmodels xgboost gensim spacy datasets transformers yfinance autograd theano mxnet librosa openpyxl"
)
IDLE, ABSENT = frozenset(_IDLE.split()), frozenset(_ABSENT.split())
"""Packages on which no computed number depends; packages often imported that the backward pass does not need."""


class Idle(types.ModuleType):
    """A stub that accepts every attribute and call and does nothing."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Idle(name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        name = self.__name__.rpartition(".")[2]
        if name in ("tqdm", "trange", "tqdm_notebook") and arguments:
            return range(*arguments) if name == "trange" else arguments[0]
        if len(arguments) == 1 and isinstance(arguments[0], types.FunctionType):
            return arguments[0]  # a decorator
        return (Idle("figure"), Idle("axes")) if name == "subplots" else Idle("nothing")

    def __iter__(self) -> Iterator[Any]:
        return iter((Idle("first"), Idle("second")))

    def __getitem__(self, key: Any) -> Any:
        return Idle("item")

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *details: Any) -> None:
        return None


class StubFinder:
    """Finds the idle modules after every other finder. A finder and loader without importlib's base classes, whose import takes as long as
    a tenth of the worker's start."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        known = fullname.partition(".")[0] in IDLE
        return importlib.machinery.ModuleSpec(fullname, cast("Any", self), is_package=True) if known else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return Idle(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        return None


class Missing:
    """A stub for a package that is not installed, or part of it: using it raises an error that says so."""

    def __init__(self, module: str) -> None:
        self.__dict__["module"] = module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        raise ModuleNotFoundError(f"No module named {self.__dict__['module']!r}")

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        raise ModuleNotFoundError(f"No module named {self.__dict__['module']!r}")


class _Imports(ast.NodeTransformer):
    def visit_Try(self, node: ast.Try) -> ast.AST:
        return node  # an import inside `try` has its own answer to a missing package

    def visit_Import(self, node: ast.Import) -> ast.AST | list[ast.AST]:
        installed = [alias for alias in node.names if not _is_absent(alias.name)]
        if len(installed) == len(node.names):
            return node
        missing = [alias for alias in node.names if alias not in installed]
        bound = [(alias.asname or alias.name.partition(".")[0], alias.name) for alias in missing]
        kept: list[ast.AST] = [ast.copy_location(ast.Import(installed), node)] if installed else []
        return [*kept, *(_bind(name, module, node) for name, module in bound)]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | list[ast.AST]:
        if node.level == 1:  # a file of a package, run by itself
            node.level = 0
            return node if node.module else ast.copy_location(ast.Import(node.names), node)
        if node.level or not node.module or not _is_absent(node.module):
            return node
        return [_bind(alias.asname or alias.name, node.module, node) for alias in node.names if alias.name != "*"]


STAND_IN = "__doctor_missing__"


def without_absent(tree: ast.Module) -> ast.Module:
    """The program with stubs for what it imports from well-known packages that are not installed (made by the function STAND_IN)."""
    return ast.fix_missing_locations(_Imports().visit(tree))


def _is_absent(module: str) -> bool:
    top = module.partition(".")[0]
    if top not in ABSENT:
        return False
    try:
        return importlib.util.find_spec(top) is None
    except (ImportError, ValueError):
        return True


def _bind(name: str, module: str, place: ast.stmt) -> ast.stmt:
    call = ast.Call(ast.Name(STAND_IN, ast.Load()), [ast.Constant(module)], [])
    return ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], call), place)


class _Double(ast.NodeTransformer):
    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if node.attr in _SINGLE and isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy"):
            node.attr = "float64"
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if node.value in _SINGLE:
            node.value = "float64"
        return node


_SINGLE = ("float32", "float16", "single", "half", "f4", "<f4")


def in_double(tree: ast.Module) -> ast.Module:
    """The program with float64 wherever it names a less precise type of NumPy's."""
    return _Double().visit(tree)
