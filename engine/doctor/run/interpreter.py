"""Which Python runs the user's program: the one in which it works, with the packages that are installed there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.doctor.run.program import project_root
from engine.errors import InputError
from engine.text import clean

OLDEST_PYTHON, OLDEST_NUMPY = (3, 8), (1, 19)
SECONDS = 120.0
"""How long an interpreter may take to say what it is: on a busy machine a second of computing is long."""
_PROBE = (
    "import json, sys; answer = {'python': '%d.%d.%d' % sys.version_info[:3]}\n"
    "try:\n    import numpy; answer['numpy'] = numpy.__version__\n"
    "except Exception as error: answer['without'] = type(error).__name__\n"
    "print(json.dumps(answer))"
)


@dataclass(frozen=True)
class Interpreter:
    """A Python with NumPy. `why` says why it was chosen, and `passed_over` which others could not be and why."""

    path: Path
    python: str
    numpy: str
    why: str
    passed_over: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As reports show it."""
        return {
            "path": clean(str(self.path), 1000),
            "python": self.python,
            "numpy": self.numpy,
            "why": self.why,
            "passed_over": list(self.passed_over),
        }


class _Unfit(Exception):
    """An interpreter cannot be used: a clause that says why."""


def find(folder: Path, wanted: str | None = None, environment: Mapping[str, str] = os.environ) -> Interpreter:
    """The interpreter for a program in `folder`: the one asked for, else of an active environment, of one beside the program, our own.

    Raises InputError when the one that was asked for cannot be used.
    """
    if wanted is not None:
        path = Path(wanted).expanduser()
        path = path / "bin" / "python" if path.is_dir() else path
        try:
            return _probed(path, "asked for with --python")
        except _Unfit as unfit:
            raise InputError(f"--python {clean(wanted)}: {unfit}; give a Python with NumPy") from None
    passed: list[str] = []
    for path, why in _candidates(folder, environment):
        try:
            found = _probed(path, why)
        except _Unfit as unfit:
            passed.append(f"{clean(str(path))}: {unfit}")
            continue
        return Interpreter(found.path, found.python, found.numpy, why, tuple(passed))
    import numpy as np

    own = ".".join(map(str, sys.version_info[:3]))
    why = "our own" if passed else "our own: no environment is active and none lies beside the program"
    return Interpreter(Path(sys.executable), own, np.__version__, why, tuple(passed))


def _candidates(folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for variable, kind in (("VIRTUAL_ENV", "virtual"), ("CONDA_PREFIX", "conda")):
        if prefix := environment.get(variable):
            yield Path(prefix) / "bin" / "python", f"the active {kind} environment"
    root = project_root(folder)
    places = [part for part in (folder, *folder.parents) if root and (part == root or root in part.parents)]
    for place in places or [folder]:
        for name in (".venv", "venv"):
            if (path := place / name / "bin" / "python").exists():
                yield path, "the environment beside the program" if place == folder else "the project's environment"


def _probed(path: Path, why: str) -> Interpreter:
    """What an interpreter says of itself; _Unfit when it cannot be used."""
    path = Path(os.path.abspath(path))  # noqa: PTH100 - a link is kept: it is what makes an environment
    if path == Path(sys.executable):
        import numpy as np

        return Interpreter(path, ".".join(map(str, sys.version_info[:3])), np.__version__, why)
    answer = _asked(path)
    python, numpy = str(answer.get("python")), answer.get("numpy")
    if _numbers(python) < OLDEST_PYTHON:
        raise _Unfit(f"it is Python {clean(python, 20)}, and 3.8 is the oldest that will do")
    if not isinstance(numpy, str):
        raise _Unfit("NumPy cannot be imported there")
    if _numbers(numpy) < OLDEST_NUMPY:
        raise _Unfit(f"it has NumPy {clean(numpy, 20)}, and 1.19 is the oldest that will do")
    return Interpreter(path, clean(python, 20), clean(numpy, 20), why)


def _numbers(version: str) -> tuple[int, ...]:
    """The first two numbers of a version."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())


def _asked(path: Path) -> Mapping[str, Any]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [path, "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            cwd="/",  # -c looks for modules where it stands
            env=environment,
            check=False,
        )
        answer: Any = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        raise _Unfit(f"it did not answer within {SECONDS:g} s") from None
    except OSError as error:
        raise _Unfit(f"it cannot be started ({clean(error.strerror or 'no program', 60)})") from None
    except (ValueError, IndexError):
        raise _Unfit("it is no Python that answers") from None
    return answer if isinstance(answer, dict) else {}  # pyright: ignore[reportUnknownVariableType]
