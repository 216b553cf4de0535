"""The backward passes of a file, each with the function whose cache it takes: by what they are called and what they call."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.doctor.read.syntax import UserFunction, UserProgram, called_name

_BACKWARD = re.compile(r"back_?ward|back_?prop|bptt|bprop|bwd|gradient|grads?(?:_|$)|loss_?fun|forward_?back", re.I)
_CHECK = re.compile(r"check|numeric|(?:^|_)num(?:_|$)|test", re.I)
_NEVER = re.compile(
    _CHECK.pattern + r"|update|clip|adam|sgd|momentum|optimi|plot|init|zero_|descent|train|fit|approx|print|predict",
    re.I,
)
_FORWARD = re.compile(r"for?ward|fprop|fwd|feed|predict|^call$|^__call__$|^run", re.I)
_USE = re.compile(r"predict|^run", re.I)
"""What only uses a trained network may call its forward pass."""
_LOSS = re.compile(r"^(?:compute_|calc(?:ulate)?_|total_)?(?:loss|cost)(?:_?fun\w*)?$", re.I)
_OF_WEIGHTS = re.compile(r"^(?:d_?|grad_?)[WUVwuvb]\w*$")
_EMPTY = re.compile(
    r"(?:zeros|ones|full|empty)(?:_like)?$|fill$|clear$|copy$|items$|keys$|values$|range$|len$|enumerate$|zip$"
)
"""What is called to look something up, or to make what is not calculated."""
_PAIRS = (
    ("backward", "forward"),
    ("Backward", "Forward"),
    ("backprop", "forward"),
    ("bprop", "fprop"),
    ("bwd", "fwd"),
    ("back", "forward"),
    ("bptt", "forward_propagation"),
    ("bptt", "forward"),
    ("_backward", ""),
)


@dataclass(frozen=True, eq=False)
class Pass:
    """A backward pass, the forward pass that is called before it (None where it makes its own), and a loss of the same arguments."""

    backward: UserFunction
    forward: UserFunction | None = None
    loss: UserFunction | None = None

    def request(self) -> dict[str, Any]:
        """What `recording/calls/calls.py` is told."""
        owner = self.backward.owner
        return {
            "owner": owner.name if owner else "",
            "backward": self.backward.node.name,
            "forward": self.forward.node.name if self.forward else "",
            "loss": self.loss.node.name if self.loss else "",
        }


def passes(found: UserProgram, function: UserFunction | None = None) -> list[Pass]:
    """The passes of a file that no other one calls, in its order, where there is none what makes gradients and trains with them; or that of
    one function. Neither a property is one nor what computes nothing: a method that clears them or leaves them to other
    classes; nor is what calls such a one of its class."""
    if function is not None:
        return [_paired(found, function)]
    computing = [f for f in found.functions if _computes(f)]
    all_of = [f for f in computing if is_backward(f)] or [f for f in computing if _makes_gradients(f)]
    outer = [f for f in all_of if not any(_calls(other, f) for other in all_of)]
    return [
        _paired(found, f) for f in outer if not any(m.name in f.called and _is_left_out(m) for m in _methods(f.owner))
    ]


def caller(found: UserProgram, examined: Pass) -> Pass | None:
    """What calls a pass together with its forward pass, as a method that trains does: it stands for one that cannot be called alone."""
    if examined.forward is None:
        return None
    both = {examined.backward.node.name, examined.forward.node.name}
    whole = [f for f in found.functions if f.owner is examined.backward.owner and both <= f.called]
    whole = [f for f in whole if not _CHECK.search(f.node.name)] or whole
    return Pass(whole[0]) if len(whole) == 1 else None


def _calls(other: UserFunction, function: UserFunction) -> bool:
    """Whether a backward pass calls another: by its name, its object's own method, or a part's method; one that calls a part's method of
    its own name is not that part's."""
    name = function.node.name
    if other is function or name not in other.called:
        return False
    if other.node.name == name:
        return name not in function.called
    own = [n for n in ast.walk(other.node) if isinstance(n, ast.Attribute) and n.attr == name]
    by_self = [n for n in own if isinstance(n.value, ast.Name) and n.value.id == "self"]
    is_own = any(m.name == name and not _is_left_out(m) for m in _methods(other.owner))
    return other.owner is function.owner or not own or len(by_self) < len(own) or not is_own


def is_backward(function: UserFunction) -> bool:
    """Whether it makes gradients; a check of gradients, an update or a training loop does not count."""
    name = function.node.name
    if _NEVER.search(name):
        return False
    if _LOSS.match(name):  # a loss alone, or one that returns its gradients, too
        return any(_OF_WEIGHTS.match(n) for n in _stored(function))
    return bool(_BACKWARD.search(name)) or _makes_gradients(function)


def _methods(owner: ast.ClassDef | None) -> list[ast.FunctionDef]:
    return [node for node in owner.body if isinstance(node, ast.FunctionDef)] if owner is not None else []


def _is_left_out(function: ast.FunctionDef) -> bool:
    """Whether a function does nothing, but that other classes are to have one of its name."""
    raised = (n for s in function.body if isinstance(s, ast.Raise) for n in ast.walk(s) if isinstance(n, ast.Name))
    return any(n.id == "NotImplementedError" for n in raised) or all(
        isinstance(s, ast.Pass) or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
        for s in function.body
    )


def _is_property(function: ast.FunctionDef) -> bool:
    """Whether a method is read, set or deleted as an attribute, and cannot be called."""
    names = {ast.unparse(decorator).rpartition(".")[2] for decorator in function.decorator_list}
    return not names.isdisjoint(("property", "cached_property", "setter", "deleter"))


def _computes(function: UserFunction) -> bool:
    """Whether a function calculates, or calls what may, more than what looks something up or makes zeros; or gives back what it takes."""
    nodes = list(ast.walk(function.node))
    if _is_left_out(function.node) or _is_property(function.node):
        return False
    if function.parameters and any(isinstance(n, ast.Return) and n.value is not None for n in nodes):
        return True
    is_arithmetic = any(isinstance(n, ast.BinOp | ast.AugAssign) for n in nodes)
    return is_arithmetic or any(_EMPTY.match(name) is None for name in function.called)


def _makes_gradients(function: UserFunction) -> bool:
    loops = any(isinstance(n, ast.For | ast.While) for n in ast.walk(function.node))
    return loops and sum(bool(_OF_WEIGHTS.match(n)) for n in _stored(function)) > 1


def _stored(function: UserFunction) -> set[str]:
    """The names of the variables that a function makes."""
    return {n.id for n in ast.walk(function.node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _paired(found: UserProgram, function: UserFunction) -> Pass:
    beside = [f for f in found.functions if f.owner is function.owner and f is not function]
    forward = _forward_of_call(found, function, beside) or _forward(function, beside)
    names = {name for name, _ in function.parameters} | (_returned(forward) if forward is not None else set[str]())
    losses = (f for f in beside if _LOSS.match(f.node.name) and {n for n, _ in f.parameters} <= names)
    loss = next((f for f in losses if not _is_of_several(f, beside)), None)
    calling = [f for f in (function, forward) if f is not None]
    return Pass(function, forward, None if loss is None or any(loss.node.name in f.called for f in calling) else loss)


def _is_of_several(loss: UserFunction, beside: Sequence[UserFunction]) -> bool:
    """Whether a loss is that of several sequences, each of which it hands on by itself, `self.forward(x[i])`: what is one sequence for a
    backward pass of the same arguments is a list of them here."""
    by_name, own = {f.node.name: f for f in beside}, {name for name, _ in loss.parameters}
    for call in [n for n in ast.walk(loss.node) if isinstance(n, ast.Call) and called_name(n) in by_name]:
        parts = [a.value for a in call.args if isinstance(a, ast.Subscript)]
        if any(isinstance(part, ast.Name) and part.id in own for part in parts):
            return True
        if by_name[called_name(call)] is not loss and _LOSS.match(called_name(call)):
            return _is_of_several(by_name[called_name(call)], [f for f in beside if f is not loss])
    return False


def _returned(function: UserFunction) -> set[str]:
    """The names of what a function returns."""
    values = [n.value for n in ast.walk(function.node) if isinstance(n, ast.Return) and n.value is not None]
    return {n.id for value in values for n in ast.walk(value) if isinstance(n, ast.Name)}


def _forward_of_call(found: UserProgram, function: UserFunction, beside: list[UserFunction]) -> UserFunction | None:
    """The function whose results are handed to a backward pass where the file calls it: of `p, h = self.evaluate(X)` before
    `self.compute_grads(X, Y, p, h)` it is `evaluate`."""
    by_name = {f.node.name: f for f in beside}
    makers: dict[int, UserFunction] = {}
    for caller in found.functions:
        calls = [n for n in ast.walk(caller.node) if isinstance(n, ast.Call) and called_name(n) == function.node.name]
        given = {n.id for call in calls for a in call.args for n in ast.walk(a) if isinstance(n, ast.Name)}
        for made in ast.walk(caller.node) if calls else ():
            if not (isinstance(made, ast.Assign) and isinstance(made.value, ast.Call)):
                continue
            names = {n.id for target in made.targets for n in ast.walk(target) if isinstance(n, ast.Name)}
            maker = by_name.get(called_name(made.value))
            if maker is not None and len(names & given) > 1 and not is_backward(maker):
                makers.setdefault(len(names & given), maker)
    maker = makers[max(makers)] if makers else None
    return None if maker is None or _runs(function, maker) else maker


def _runs(function: UserFunction, other: UserFunction) -> bool:
    """Whether a function calls one beside it, a method that of its own object: another object may have one of the same name."""
    own = {"self", *([function.owner.name] if function.owner else [])}
    calls = [n.func for n in ast.walk(function.node) if isinstance(n, ast.Call)]
    return any(
        (isinstance(f, ast.Name) and f.id == other.node.name)
        or (isinstance(f, ast.Attribute) and f.attr == other.node.name and ast.unparse(f.value) in own)
        for f in calls
    )


def _forward(function: UserFunction, beside: list[UserFunction]) -> UserFunction | None:
    by_name = {f.node.name: f for f in beside}
    for old, new in _PAIRS:
        name = function.node.name
        if old in name and (found := by_name.get(name.replace(old, new))) is not None:
            return None if _runs(function, found) else found
    likely = [f for f in beside if _FORWARD.search(f.node.name) and not is_backward(f)]
    if any(_runs(function, f) for f in likely):
        return None
    names = [f.node.name for f in beside if is_backward(f)]
    of_another = {name.replace(old, new) for name in names for old, new in _PAIRS if old in name}
    inner = {name for f in likely if not _USE.search(f.node.name) for name in f.called}
    outer = [f for f in likely if f.node.name not in inner | of_another]
    return max(outer, key=lambda f: bool(re.search("forward", f.node.name)), default=None)
