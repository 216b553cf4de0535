"""What stands for modules that only draw, show progress or keep a log, where they are not installed. A stub takes every call and does
nothing."""

# The user may have a pathlib of his own.

from __future__ import annotations

import dis
import importlib.machinery
import os.path
import sys
import types
from collections.abc import Iterator
from typing import Any

_NAMES = (
    "matplotlib mpl_toolkits pylab seaborn plotly bokeh altair visdom drawnow celluloid "
    "tqdm progressbar progress alive_progress tensorboard tensorboardX tensorboard_logger wandb mlflow neptune comet_ml "
    "livelossplot hiddenlayer IPython ipywidgets termcolor colorama icecream line_profiler memory_profiler numba google"
)
IDLE = frozenset(_NAMES.split())
"""Modules on which no number of a backward pass depends."""
_PYPLOT = (
    "figure plot show subplot subplots title xlabel ylabel legend imshow savefig scatter hist bar grid axis xlim ylim colorbar close "
    "clf cla draw pause ion ioff tight_layout gca gcf semilogy semilogx loglog suptitle xticks yticks text annotate fill_between"
)


class Stub(types.ModuleType):
    """Takes every call and does nothing."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__dict__["__path__"] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name != "__version__":
            raise AttributeError(name)
        return self._given(name)

    def _given(self, name: str) -> Any:
        """What is found in it by a name."""
        return _known(name, self.__name__)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if len(arguments) == 1 and not named and isinstance(arguments[0], (types.FunctionType, type)):
            return arguments[0]  # a decorator
        return Stub("nothing")

    def __iter__(self) -> Iterator[Any]:
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        return iter([Stub("item") for _ in range(taken_apart(frame))])

    def __getitem__(self, key: Any) -> Any:
        return Stub("item")

    def __setitem__(self, key: Any, value: Any) -> None:
        return None

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *details: Any) -> None:
        return None

    def __bool__(self) -> bool:
        return False  # `while plt.fignum_exists(1)` ends

    def __lt__(self, other: Any) -> bool:
        return False  # a version that is asked for: libraries ask what is loaded

    __le__ = __gt__ = __ge__ = __lt__

    def __len__(self) -> int:
        return 0

    def __str__(self) -> str:
        return ""

    def __format__(self, form: str) -> str:
        return ""

    def __add__(self, other: Any) -> Any:
        return other  # Fore.RED + "text"

    __radd__ = __add__


class Bar:
    """A progress bar that shows nothing: what it goes over, one by one, with the count `n`, which programs read."""

    def __init__(self, iterable: Any = (), *arguments: Any, **named: Any) -> None:
        self.iterable = iterable
        self.n = named.get("initial", 0)
        self.total = named.get("total")
        if self.total is None and hasattr(iterable, "__len__"):
            self.total = len(iterable)

    def __iter__(self) -> Iterator[Any]:
        for item in self.iterable:
            yield item
            self.n += 1

    def __len__(self) -> int:
        return len(self.iterable)

    def update(self, n: Any = 1) -> None:
        """Counts on."""
        self.n += n

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Stub(name)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *details: Any) -> None:
        return None

    @classmethod
    def write(cls, text: str, *arguments: Any, **named: Any) -> None:
        """Prints, as the real one does."""
        print(text)


def trange(*arguments: Any, **named: Any) -> Bar:
    """A bar over a range."""
    return Bar(range(*arguments))


def _uncoloured(text: str, *arguments: Any, **named: Any) -> str:
    return text


def _known(name: str, module: str) -> Any:
    """What a name of a module stands for where nothing would change the program's course, else an idle one."""
    known: dict[str, Any] = {"tqdm": Bar, "tqdm_notebook": Bar, "trange": trange, "tnrange": trange, "prange": range}
    known.update(ProgressBar=Bar, alive_it=Bar, colored=_uncoloured, cprint=Bar.write)
    if name == "load_dataset":  # data are no decoration
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    return known.get(name) or Stub(name)


def taken_apart(frame: types.FrameType) -> int:
    """How many values a line wants that takes an idle thing apart, `figure, axes = ...`; none for a loop over it."""
    code, at = frame.f_code.co_code, frame.f_lasti
    return code[at + 1] if 0 <= at < len(code) - 1 and code[at] == dis.opmap["UNPACK_SEQUENCE"] else 0


class Finder:
    """Finds the idle modules, after every other finder has found nothing. `used` lists them.

    As with the other finders here, importlib.abc is no base: loading it is a tenth of a short run.
    """

    def __init__(self) -> None:
        self.used: list[str] = []

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """A module that does nothing, for the names in IDLE."""
        top = fullname.partition(".")[0]
        if top not in IDLE or (top == "google" and fullname not in ("google", "google.colab")):
            return None
        loader: Any = self
        return importlib.machinery.ModuleSpec(fullname, loader, is_package=True)

    def create_module(self, spec: Any) -> types.ModuleType:
        """The module."""
        top = spec.name.partition(".")[0]
        if top not in self.used:
            self.used.append(top)
        return Stub(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Gives the modules that are imported with a star the names that they are imported for."""
        if module.__name__ in ("pylab", "matplotlib.pylab"):
            import numpy

            names: Any = [name for name in dir(numpy) if not name.startswith("_")]
            module.__dict__.update({name: getattr(numpy, name, None) for name in names}, np=numpy)
        if module.__name__ in ("pylab", "matplotlib.pylab", "matplotlib.pyplot"):
            module.__dict__.update({name: Stub(name) for name in _PYPLOT.split()})
        if module.__name__.startswith("tqdm"):
            module.__dict__.update(tqdm=Bar, trange=trange)


def found_by_others(own: Any, fullname: str, path: Any, target: Any) -> Any:
    """What the other finders say of a module."""
    for finder in sys.meta_path:
        if finder is own or not hasattr(finder, "find_spec"):
            continue
        spec = finder.find_spec(fullname, path, target)
        if spec is not None:
            return spec
    return None


class Hidden:
    """Makes packages of the doctor's unknown by name, wherever it is installed; the user's own of the same names are found as ever."""

    def __init__(self, names: Any, users: Any) -> None:
        self.names, self.users = frozenset(names), tuple(users)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """Nothing, or the module of that name that is not ours."""
        if fullname not in self.names:
            return None
        spec = found_by_others(self, fullname, path, target)
        folders: Any = () if spec is None else spec.submodule_search_locations or ()
        if any(self._is_ours(str(folder)) for folder in folders):
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return spec

    def _is_ours(self, folder: str) -> bool:
        beside = os.path.dirname(folder)
        return not folder.startswith(self.users) and os.path.isfile(f"{beside}/engine/doctor/__init__.py")
