"""Arrays of one's own against the reference's: a framework's, a C program's. No code is run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.doctor import roles
from engine.doctor.comparing import compare
from engine.doctor.report import Comparison
from engine.errors import InputError
from engine.files.arrays import read_npz
from engine.files.raw import shown
from engine.functions import Array
from engine.network import Network
from engine.session import open_session
from engine.tape import Tape, record
from engine.text import clean

TOLERANCE = 1e-6
SINGLE = 1e-4
DATA_ROLES = ("X", "y", "a0")


@dataclass(frozen=True)
class Row:
    """One array: its name in the file, the reference's quantity, the comparison, and the step at which it first diverges."""

    name: str
    quantity: str
    comparison: Comparison
    t: int | None = None


@dataclass(frozen=True)
class ArrayReport:
    """All arrays in the order in which their quantities are computed; `unknown` are names that mean nothing here."""

    file: str
    rows: tuple[Row, ...]
    unknown: tuple[str, ...]
    weights: str

    @property
    def ok(self) -> bool:
        """Whether everything that was compared is right."""
        return all(row.comparison.ok for row in self.rows)

    @property
    def first(self) -> Row | None:
        """The first divergence."""
        return next((row for row in self.rows if not row.comparison.ok), None)

    def to_json(self) -> dict[str, Any]:
        """The same figures as the doctor's."""
        first = self.first
        return {
            "verdict": "correct" if self.ok else "wrong",
            "arrays": {
                row.name: {"quantity": row.quantity, "t": row.t, **row.comparison.to_json()} for row in self.rows
            },
            "first_divergence": {"array": first.name, "quantity": first.quantity, "t": first.t} if first else None,
            "unknown": list(self.unknown),
            "notes": [self.weights],
        }


def compare_arrays(path: Path, data: str | None, options: Mapping[str, Any]) -> ArrayReport:
    """The arrays in the NPZ file at `path` against the reference on `data` (None: the X and y in the file, or the built-in example).

    Weights in the file are used; else the options' own. Raises InputError when nothing in it can be compared.
    """
    mine = read_npz(path)
    session = open_session(data, options)
    tape = session.debugger.tape(session.options["iteration"])
    meant = {name: _quantity(name, tape) for name in mine}
    known = {quantity: mine[name] for name, quantity in meant.items() if quantity is not None}
    tape, weights = _reference(path, tape, known, use_data=data is None)
    rows = sorted(_rows(mine, meant, tape), key=lambda row: _order(tape, row.quantity))
    if not rows:
        names = ", ".join(clean(name, 30) for name in list(mine)[:8]) or "nothing"
        raise InputError(
            f"{shown(path)}: none of its arrays ({names}) has a known name, such as dWa, Whh_grad, a, p, loss"
        )
    compared = {row.name for row in rows}
    data_names = {name for name, quantity in meant.items() if quantity in (*DATA_ROLES, *roles.PARAMETERS)}
    unknown = tuple(clean(name, 40) for name in mine if name not in compared and name not in data_names)
    return ArrayReport(clean(path.name), tuple(rows), unknown, weights)


def _quantity(name: str, tape: Tape) -> str | None:
    """What a name means: X, y, a0, a parameter, a parameter's gradient, or a quantity of the tape."""
    if roles.role(name) in (*roles.PARAMETERS, *DATA_ROLES) and not name.startswith("d"):
        return roles.role(name)
    if name in tape:
        return name
    if (gradient := roles.gradient(name)) is not None:
        return {"X": "dx", "a0": "da0"}.get(gradient, f"d{gradient}")
    return _WORDS.get(name.lower())


_WORDS = {
    "h": "a",
    "hs": "a",
    "s": "a",
    "states": "a",
    "hidden_states": "a",
    "output": "a",
    "outputs": "logits",
    "scores": "logits",
    "probs": "p",
    "probabilities": "p",
    "y_hat": "p",
    "yhat": "p",
    "y_pred": "p",
    "cost": "loss",
    "dh": "da",
    "dhs": "da",
    "pre": "z",
    "delta_out": "dlogits",
    "dy": "dlogits",
}


def _reference(path: Path, tape: Tape, known: Mapping[str, Array], *, use_data: bool) -> tuple[Tape, str]:
    """The reference on the file's own weights and data, where it has them."""
    own = {name: known[name] for name in tape.parameters if name in known}
    x, y = np.moveaxis(tape["x"], 0, 1), tape["y"]
    y = np.moveaxis(y, 0, 1) if tape.plan.network.predict == "every" else y
    network = tape.plan.network
    if use_data and "X" in known and "y" in known and known["X"].ndim == 3:
        x, y = known["X"].astype(float), known["y"]
        y = y.astype(int) if network.head.classes and y.dtype.kind == "f" else y
    if not own:
        again = record(network, x, y, parameters=tape.parameters, lengths=tape.lengths)
        return again, "the file has no weights; the options' own were used"
    try:
        weights = _oriented(own, network, x.shape[2])
    except KeyError as error:
        raise InputError(
            f"{shown(path)}: of the weights {error.args[0]} is missing; save all of them, or none"
        ) from None
    sizes = {"inputs": x.shape[2], "hidden": weights["Wa"].shape[0], "outputs": weights["Wy"].shape[1]}
    network = replace(network, **sizes, weights=weights)
    output = network.table.output
    initial = {output: known["a0"]} if "a0" in known and known["a0"].shape == (len(x), network.hidden) else None
    return record(network, x, y, initial=initial), "the file's own weights were used"


def _oriented(own: Mapping[str, Array], network: Network, features: int) -> dict[str, Array]:
    """The weights in rows. Whether all are transposed is told by Wx and Wy; where both are square they are taken as they are."""
    wa = own["Wa"]
    hidden = wa.shape[0]
    wx, wy = own["Wx"], own["Wy"]
    turned = wx.shape != (features, hidden) and wx.shape == (hidden, features)
    result = {"Wx": wx.T if turned else wx, "Wa": wa.T if turned else wa, "Wy": wy.T if wy.shape[0] != hidden else wy}
    outputs = result["Wy"].shape[1]
    result["ba"] = own["ba"].reshape(hidden) if "ba" in own else np.zeros(hidden)
    result["by"] = own["by"].reshape(outputs) if "by" in own else np.zeros(outputs)
    return {name: np.asarray(value, dtype=network.dtype) for name, value in result.items()}


def _rows(mine: Mapping[str, Array], meant: Mapping[str, str | None], tape: Tape) -> Iterator[Row]:
    for name, quantity in meant.items():
        if quantity is None or quantity in (*DATA_ROLES, *roles.PARAMETERS):
            continue
        output = tape.plan.network.table.output
        if quantity == "da0":
            wanted = [np.asarray(tape[f"d{output}"])[0]]
        elif quantity in tape:
            whole = np.asarray(tape[quantity])
            wanted = [whole, whole[1:]] if len(whole.shape) > 1 and whole.shape[0] == tape.plan.steps + 1 else [whole]
        else:
            continue
        array = np.asarray(mine[name])
        tolerance = SINGLE if array.dtype.itemsize < 8 else TOLERANCE
        array = array.astype(float)
        choices = [
            (compare(turned, ours, tolerance=tolerance), turned, ours)
            for ours in wanted
            for turned in _turned(array, ours)
        ]
        if not choices:
            shape = tuple(wanted[0].shape)
            yield Row(name, quantity, Comparison(False, note=f"its shape is {array.shape}, the reference's is {shape}"))
            continue
        best = min(
            choices, key=lambda c: c[0].max_relative_error if c[0].max_relative_error is not None else float("inf")
        )
        yield Row(name, quantity, best[0], None if best[0].ok else _step(quantity, best[1], best[2], tape, tolerance))


def _turned(array: Array, ours: Array) -> Iterator[Array]:
    """The array in every order of axes in which its shape is ours; axes of length one do not count."""
    squeezed = array.squeeze() if array.shape != ours.shape else array
    if squeezed.ndim != ours.ndim and squeezed.size == ours.size and ours.squeeze().shape == squeezed.shape:
        yield squeezed.reshape(ours.shape)
        return
    for order in itertools.permutations(range(squeezed.ndim)):
        if squeezed.ndim == ours.ndim and squeezed.transpose(order).shape == ours.shape:
            yield squeezed.transpose(order)


def _step(quantity: str, theirs: Array, ours: Array, tape: Tape, tolerance: float) -> int | None:
    """The step at which an array first diverges, in the order in which it is computed: gradients from the last one back."""
    held = tape.plan.program.quantities.get(quantity)
    if held is None or not held.rows:
        return None
    first = tape.plan.steps + 1 - len(ours)
    wrong = [
        k
        for k in range(len(ours))
        if np.abs(theirs[k] - ours[k]).max() > tolerance * max(float(np.abs(ours).max()), 1e-300)
    ]
    if not wrong:
        return None
    return first + (max(wrong) if quantity.startswith("d") else min(wrong))


def _order(tape: Tape, quantity: str) -> int:
    names = [line.name for line in tape.plan.program.lines]
    return names.index(quantity) if quantity in names else len(names)


def text(report: ArrayReport) -> str:
    """The report for people."""
    first = report.first
    head = (
        "everything that was compared is right"
        if report.ok
        else f"the first that is wrong is {first.name if first else ''}"
    )
    lines = [f"{report.file}: {head}"]
    if first is not None:
        when = "" if first.t is None else f" at t = {first.t}"
        lines += ["", f"  {first.name} should be {first.quantity}{when}"]
    lines += ["", "  array          quantity   relative error   cosine   norm ratio"]
    for row in report.rows:
        each = row.comparison
        mark = "ok   " if each.ok else "WRONG"
        if each.max_relative_error is None:
            lines.append(f"  {row.name:<14} {row.quantity:<9} {mark} {each.note}")
            continue
        cosine = "-" if each.cosine is None else f"{each.cosine:.4f}"
        ratio = "-" if each.norm_ratio is None else f"{each.norm_ratio:.4g}"
        when = "" if row.t is None else f"  from t = {row.t} on"
        lines.append(
            f"  {row.name:<14} {row.quantity:<9} {mark} {each.max_relative_error:>9.2e}   {cosine:>6}   {ratio:>10}{when}"
        )
    lines += ["", f"  note: {report.weights}"]
    if report.unknown:
        lines.append(f"  note: not compared, of unknown names: {', '.join(report.unknown[:12])}")
    return "\n".join(lines) + "\n"
