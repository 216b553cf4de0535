"""Functions called as their user says: `--call "loss_fun(X, y, params)"`, with names of the file and of an example file."""

from __future__ import annotations

import ast
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from engine.doctor.lineage.record.running import Runs
from engine.doctor.read.source import SourceFile
from engine.doctor.read.syntax import called_name, program
from engine.doctor.read.top_level import without_its_run
from engine.doctor.recording.calls.driven import HELPERS, KEPT, LOSS, back
from engine.doctor.recording.calls.guesses import is_gradient
from engine.doctor.report.own_run_report import examine_own_run
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import program_of
from engine.errors import InputError
from engine.files.raw import unreadable
from engine.text import clean

_READ_JSON = """
import json, numpy

def arrays(value):
    if isinstance(value, dict):
        return {k: arrays(v) for k, v in value.items()}
    try:
        made = numpy.array(value)
    except ValueError:
        return [arrays(v) for v in value]
    return made if isinstance(value, list) and made.dtype.kind in "bif" else value

data = arrays(json.load(open(path, encoding="utf-8")))
"""
_GIVEN = """
def _driver_parts(name, value):
    if isinstance(value, (list, tuple)) and not name:
        return [part for v in value for part in _driver_parts("", v)]
    return [(name, value)]


def _driver_shapes(value):
    return [_driver_shapes(v) for v in value] if isinstance(value, (list, tuple)) else getattr(value, "shape", None)


def _driver_between(upstream, outputs):
    found = [part for name, value in outputs for part in _driver_parts(name, value)]
    total = 0.0
    for name, value in upstream:
        fitting = [(n, v) for n, v in found if _driver_shapes(v) == _driver_shapes(value)]
        named = [v for n, v in fitting if n and n in name]
        if len(named or fitting) != 1:
            return None
        output = (named or [v for _, v in fitting])[0]
        total = total + _driver_sum(output, value) * (0.5 if output is value else 1.0)  # dL/dy = y: half its square
    return total


"""


TIMES = "the loss is the sum of what was made times its {}"


@dataclass(frozen=True)
class ExampleCalls:
    """Calls of a file's functions, in order, and the file whose names they use beside the program's own (.npz, .json, .py)."""

    calls: tuple[str, ...]
    data: Path | None = None


@dataclass(frozen=True, eq=False)
class GivenCall:
    """One call: as it is written, the call itself, and the text of what its result is assigned to ("" where it is not)."""

    written: str
    call: ast.Call
    target: ast.expr | None = None


def examine_calls(source: SourceFile, example: ExampleCalls, wishes: Wishes) -> Report:
    """What the last of the calls gives back, judged by its own lineage.

    The file is loaded without what it does at its top level besides defining, importing and assigning. Raises InputError where a call or
    the example file cannot be read, or where a call fails by itself: a name that is not there."""
    calls = [_read(text) for text in example.calls]
    bare = without_its_run(source)
    above = f"{bare.text}\n{HELPERS}{_GIVEN}{_loading(example.data)}"
    below, upstream = _calling(source, calls)
    made = program_of(source, above + "\n".join(line for line, _ in below) + "\n")
    own = examine_own_run(Runs(made, replace(wishes, arguments=())), bare, whole=True)
    run = own.report.run or {}
    line = run.get("line") or 0
    if line > len(bare.lines):
        at = line - above.count("\n") - 1
        where = f"--call {below[at][1]!r}" if 0 <= at < len(below) else f"--data {clean(str(example.data), 120)}"
        raise InputError(
            f"{clean(source.path.name)}: {where}: {str(run['stopped']).partition(' fails with ')[2] or run['stopped']}"
        )
    loss = own.report.loss if own.report.loss is not None and own.report.loss["line"] <= len(bare.lines) else None
    notes = [f"called as given: {'; '.join(clean(each.written, 120) for each in calls)}"]
    if upstream and loss is None:
        notes.append(TIMES.format(", ".join(upstream)))
    verdict = own.report.verdict if own.report.verdict != "undecided" or own.compared else "cannot-run"
    report = replace(own.report, verdict=verdict, function=called_name(calls[-1].call), run=None, loss=loss)
    return replace(report, notes=(*notes, *report.notes), reason=own.reason)


def examine_own_call(source: SourceFile, name: str, wishes: Wishes) -> Report | None:
    """A function as the file's own top level calls it last, with dL/d(outputs) that it hands over: all that stands above that call is run
    as it is. None where there is no such call, or it leaves the question open."""
    every = list(_top_level(source))
    last = next(((s, c) for s in reversed(every) if (c := _call_of(s, name)) is not None), None)
    if last is None:
        return None
    statement, call = last
    upstream = [(n, value) for n, value in _arguments(source, call) if is_gradient(n)]
    outputs = _made_by_functions(source, statement.lineno)
    if not upstream or not outputs:
        return None
    kept = source.lines[: statement.lineno - 1]
    bare = replace(source, text="\n".join([*kept, *[""] * (len(source.lines) - len(kept))]), left_out=source.text)
    below = _between(upstream, [f"({made!r}, {made})" for made in outputs])
    below.append(f"_driver_0 = {ast.unparse(call)}")
    if isinstance(call.func, ast.Attribute):
        below.append(f"{KEPT} = _driver_listed(_driver_gradients({ast.unparse(call.func.value)}))[:64]")
    text = "\n".join((bare.text, f"{HELPERS}{_GIVEN}", *below, back("_driver_0"), ""))
    own = examine_own_run(Runs(program_of(bare, text), wishes), bare, whole=True)
    if own.report.verdict not in ("correct", "wrong"):
        return None
    said = source.in_cells(f"called as in line {statement.lineno}: {clean(ast.unparse(call), 120)}")
    notes = (said, TIMES.format(", ".join(n for n, _ in upstream)))
    return replace(own.report, function=name, run=None, loss=None, notes=(*notes, *own.report.notes))


def _top_level(source: SourceFile) -> Iterator[ast.stmt]:
    """What the file does at its top level, also where it is not imported: `if __name__ == "__main__"`."""
    for statement in source.tree().body:
        is_main = isinstance(statement, ast.If) and any(
            isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(statement.test)
        )
        yield from statement.body if isinstance(statement, ast.If) and is_main else [statement]


def _call_of(statement: ast.stmt, name: str) -> ast.Call | None:
    """The call of a function, or of a class's method, that a statement is or assigns."""
    value = statement.value if isinstance(statement, ast.Assign | ast.Expr) else None
    is_its = isinstance(value, ast.Call) and called_name(value) == name.rpartition(".")[2]
    return value if isinstance(value, ast.Call) and is_its else None


def _made_by_functions(source: SourceFile, line: int) -> list[str]:
    """The names to which the top level assigns, above a line, what functions of the file give back."""
    made, found = dict[str, None](), program(source.tree())
    for each in _top_level(source):
        if each.lineno < line and isinstance(each, ast.Assign) and isinstance(each.value, ast.Call):
            named = [n.id for target in each.targets for n in ast.walk(target) if isinstance(n, ast.Name)]
            made.update(dict.fromkeys(named if found.find(called_name(each.value)) is not None else ()))
    return list(made)


def _read(text: str) -> GivenCall:
    """A call, or an assignment of one."""
    try:
        (statement,) = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError):
        raise InputError(f"--call {clean(text, 120)!r}: it is no call that Python can read") from None
    match statement:
        case ast.Expr(value=ast.Call() as call):
            return GivenCall(text.strip(), call)
        case ast.Assign(targets=[target], value=ast.Call() as call):
            return GivenCall(text.strip(), call, target)
        case _:
            raise InputError(
                f"--call {clean(text, 120)!r}: give a call, as f(x, W), or what it makes, as h, cache = f(x, W)"
            )


def _loading(data: Path | None) -> str:
    """The text that makes the names of an example file."""
    if data is None:
        return ""
    if data.suffix not in (".npz", ".json", ".py"):
        raise InputError(f"{clean(data.name)}: --data takes arrays by name in a .npz, .json or .py file")
    path = str(data.resolve())
    try:
        if data.suffix == ".py":
            names = _assigned(ast.parse(data.read_text(encoding="utf-8")))
            load = f"exec(compile(open({path!r}, encoding='utf-8').read(), {path!r}, 'exec'), globals())\n"
            return load + "".join(f"{name} = {name}\n" for name in names)
        if data.suffix == ".npz":
            with zipfile.ZipFile(data) as archive:
                names = [name.removesuffix(".npy") for name in archive.namelist()]
            load = f"_driver_data = _driver_np.load({path!r})\n"
        else:
            names = list(cast("dict[str, Any]", dict(json.loads(data.read_text(encoding="utf-8")))))
            read = f"_driver_read = {{'path': {path!r}}}\nexec({_READ_JSON!r}, _driver_read)\n"
            load = f"{read}_driver_data = _driver_read['data']\n"
    except OSError as error:
        raise unreadable(data, error) from error
    except (ValueError, TypeError, SyntaxError, RecursionError, zipfile.BadZipFile) as error:
        raise InputError(f"{clean(data.name)}: it holds no arrays by name") from error
    return load + "".join(f"{name} = _driver_data[{name!r}]\n" for name in names if name.isidentifier())


def _assigned(tree: ast.Module) -> list[str]:
    """The names that a module assigns at its top level."""
    targets = [t for s in tree.body if isinstance(s, ast.Assign) for t in s.targets]
    return list(
        dict.fromkeys(
            n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        )
    )


def _calling(source: SourceFile, calls: Sequence[GivenCall]) -> tuple[list[tuple[str, str]], list[str]]:
    """The lines that make the calls, each with what the user wrote of it, and the names of dL/d(outputs) that the last one takes."""
    below: list[tuple[str, str]] = []
    outputs: list[str] = []
    for k, each in enumerate(calls[:-1]):
        below.append((f"_driver_{k} = {ast.unparse(each.call)}", each.written))
        if each.target is not None:
            below.append((f"{ast.unparse(each.target)} = _driver_{k}", each.written))
        named = [n.id for n in ast.walk(each.target) if isinstance(n, ast.Name)] if each.target is not None else []
        outputs += [f"({name!r}, {name})" for name in named] or [f"('', _driver_{k})"]
    last, made = (
        calls[-1],
        {n.id for c in calls for n in ast.walk(c.target or ast.Constant(0)) if isinstance(n, ast.Name)},
    )
    upstream = [
        (name, value) for name, value in _arguments(source, last.call) if is_gradient(name) and value not in made
    ]
    if upstream and outputs:
        below += [(line, last.written) for line in _between(upstream, outputs)]
    elif outputs:
        below.append(
            (f"{LOSS} = _driver_loss([{', '.join(f'_driver_{k}' for k in range(len(calls) - 1))}])", last.written)
        )
    below.append((f"_driver_{len(calls) - 1} = {ast.unparse(last.call)}", last.written))
    below.append((back(f"_driver_{len(calls) - 1}"), last.written))
    return below, [name for name, _ in upstream] if outputs else []


def _between(upstream: Sequence[tuple[str, str]], outputs: Sequence[str]) -> list[str]:
    """The lines that make the loss of which dL/d(outputs) are handed over."""
    pairs = ", ".join(f"({name!r}, _driver_upstream.{name})" for name, _ in upstream)
    given = [f"_driver_upstream.{name} = {value}" for name, value in upstream]
    return [*given, f"{LOSS} = _driver_between([{pairs}], [{', '.join(outputs)}])"]


def _arguments(source: SourceFile, call: ast.Call) -> list[tuple[str, str]]:
    """The names of what a call takes, as its function calls them or as they are called themselves, with what is given."""
    function = program(source.tree()).find(called_name(call))
    names = [name for name, _ in function.parameters] if function is not None else []
    given = [(names[k] if k < len(names) else "", value) for k, value in enumerate(call.args)]
    given += [(keyword.arg or "", keyword.value) for keyword in call.keywords]
    return [
        (value.id if isinstance(value, ast.Name) and is_gradient(value.id) else name, ast.unparse(value))
        for name, value in given
        if not isinstance(value, ast.Constant)
    ]
