"""The part of the program that lays out what is known before an iteration begins: lengths, cuts, masks of dropout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.codegen.source import Style, given_name
from engine.language.expression import Call, Name
from engine.language.printing import NumpySyntax, show
from engine.tables.given import ENTRIES, FLOW_CUT, FLOW_CUT_REVERSE, GIVEN, MASK, given_equation


def known_beforehand(style: Style, *, masked: bool) -> list[str]:
    """All that follows from the data and the options, and the data, as the notation has them; `masked` where samples differ in length."""
    masks = style.plan.network.masks
    given = [name for name, q in style.plan.program.quantities.items() if q.given and name not in masks]
    return [*_equations(style, masked=masked), *_laid_out(style, given)]


def dropout_masks(style: Style, update: str, *, given: bool) -> list[str]:
    """The masks of dropout, drawn as the recording draws them; `update` is the source of how many updates came before. They
    may be `given` in a trace."""
    network, program = style.plan.network, style.plan.program
    if network.dropout is None:
        return []
    cast = "" if network.dtype == "float64" else f".astype(np.{network.dtype})"
    lines = ["# ---- dropout: 0 where a value is not handed on ----"]
    for layer, name in enumerate(network.masks, 1):
        quantity = program.quantities[name]
        shape = ", ".join(("B", "T", *quantity.axes[1:]) if quantity.rows else quantity.axes)
        drawn = f"np.random.default_rng(({network.seed}, {update}, {layer})).random(({shape}))"
        kept = f"({drawn} >= {network.dropout!r}) / {1 - network.dropout!r}"
        kept = f"({kept}){cast}" if cast else kept
        if given:
            kept = f'trace["{name}"]' + (".swapaxes(0, 1)" if quantity.rows else "")
        lines.append(f"{style.spelling.name(name)} = {kept}")
    return [*lines, *_laid_out(style, network.masks), ""]


def _equations(style: Style, *, masked: bool) -> list[str]:
    """Mask, where the flow is cut, how many entries count: what no line computes."""
    network = style.plan.network
    syntax = _Beforehand(masked, network.truncate)
    right = {
        name: show(given_equation(name, network.truncate_by), syntax)
        for name in GIVEN
        if name in style.plan.program.quantities
    }
    as_numbers = f".astype({'float' if network.dtype == 'float64' else f'np.{network.dtype}'})"
    lines = ["steps = np.arange(1, T + 1)"] if right.keys() & {MASK, FLOW_CUT} else []
    if MASK in right:
        lines.append(f"{MASK} = {right[MASK]}{as_numbers}  # (B, T): 1 within the sample's length")
    for name, further in ((FLOW_CUT, "t - 1"), (FLOW_CUT_REVERSE, "t + 1")):
        if name in right:
            where = right[name] if "&" in right[name] else right[name][1:-1]  # of one condition no parentheses
            lines.append(
                f"{name} = np.broadcast_to({where}, (B, T)){as_numbers}  # (B, T): 1 stops the flow to {further}"
            )
    if ENTRIES in right:
        lines.append(f"{ENTRIES} = {right[ENTRIES]}  # entries that count")
    return lines


def _laid_out(style: Style, names: Iterable[str]) -> list[str]:
    """What is known beforehand, as the notation has it."""
    spelling = style.spelling
    known = [q for q in map(style.plan.program.quantities.__getitem__, names) if q.axes]
    in_time = [q for q in known if q.rows]
    lines: list[str] = []
    if spelling.layout.columns:
        for quantity in in_time:
            source = "X" if quantity.name == "x" else spelling.name(quantity.name)
            turned = ".T" if len(quantity.axes) == 2 else ""
            name = given_name(spelling, quantity.name)
            letters = spelling.layout.shape(quantity.axes)
            shape = f"  # {name}[t]: ({', '.join(letters)}{',' if len(letters) == 1 else ''})"
            lines.append(f"{name} = {{t: {source}[:, t - 1]{turned} for t in range(1, T + 1)}}{shape}")
    elif spelling.notation.time_first:
        for quantity in in_time:
            name = given_name(spelling, quantity.name)
            lines.append(f"{name} = {name}.swapaxes(0, 1)  # (T, {', '.join(quantity.axes)})")
    once = [spelling.name(q.name) for q in known if not q.rows and len(q.axes) == 2 and spelling.layout.turns(q.axes)]
    lines += [f"{name} = {name}.T" for name in once]
    return lines


@dataclass(frozen=True)
class _Beforehand(NumpySyntax):
    """How what is known beforehand is written: the steps lie along the second axis, each sample's length beside them."""

    masked: bool
    reach: int | None

    def name(self, name: Name) -> str:
        ends = "lengths[:, None]" if self.masked else "T"
        return {"t": "steps", "ends": ends, "K": str(self.reach)}[name.name]

    def number(self, value: float) -> str:
        return f"{value:g}"

    def call(self, node: Call, arguments: list[str]) -> str:
        """The one sum: over all samples' lengths."""
        return "lengths.sum()" if self.masked else "B * T"
