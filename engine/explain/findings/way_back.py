"""How large the gradient of a layer's states is on its way back through time, counted from each sample's own end, and what makes it so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.explain.findings.base import Scene, short
from engine.explain.flow import cuts, split
from engine.explain.reach import one_loss
from engine.language.derive import NEXT, gradient
from engine.language.expression import Call, Expression, Name, addends, factors, walk
from engine.language.functions import Array
from engine.model.layers import Layer
from engine.model.program import carries_losses
from engine.recording.figures import row_norms

GATE = "sigmoid"


@dataclass(frozen=True, eq=False)
class WayBack:
    """The gradient of a layer's states, or of one of them, on its way back.

    `share` is (K+1,): ‖gradient‖ k steps before the end, as a share of that at the end, over all samples that go back so far. Where
    samples differ in length (`apart`) each one's end is its own.
    """

    scene: Scene
    layer: Layer
    share: Array
    first: float
    apart: bool

    @property
    def steps(self) -> int:
        """K, the most steps that the gradient goes back."""
        return len(self.share) - 1

    @property
    def name(self) -> str:
        """The gradient of what the layer hands on."""
        return gradient(self.layer.table.output)

    def t(self, k: int) -> int:
        """The time step k steps before the end of the longest sample."""
        return 1 + k if self.layer.reverse else self.scene.program.steps - k

    def gain(self, k: int) -> str:
        """The mean gain of a step on the first k steps, with what it is made of; nothing where it has none."""
        value = _mean(self.share, k)
        if value is None:
            return ""
        made = _split(self.scene, self.layer, k, value) or _by_gates(self.scene, self.layer, k)
        return f" (gain {short(value)} a step{made})"


def way_back(scene: Scene, layer: Layer) -> WayBack | None:
    """How the gradient of a layer's states goes back; None where there is nothing at the end, or nothing finite."""
    norms, steps = _from_the_end(scene, layer, layer.table.states)
    if not (norms[0].any() and np.isfinite(norms[0]).all()):
        return None
    share = _share(norms, steps)
    return WayBack(scene, layer, share, float(row_norms(norms[:1])[0]), bool((steps < steps.max()).any()))


def _from_the_end(scene: Scene, layer: Layer, names: tuple[str, ...]) -> tuple[Array, Array]:
    """(K+1, B) ‖gradient of all these quantities of a layer‖ by steps before each sample's end, and (B,) how many steps each goes back.

    With a loss at every step it is that of the last step's loss (in the reverse direction the first one's), of all samples together (B
    is 1).
    """
    tape, network, last = scene.tape, scene.tape.plan.network, scene.program.steps
    reverse = layer.reverse
    if network.predict == "every":
        norms = one_loss(tape, 1 if reverse else last)
        total = np.hypot.reduce(np.array([norms[gradient(name)] for name in names]), axis=0)[:: -1 if reverse else 1]
        cut_at = [cut.t for cut in cuts(tape, reverse=reverse)]
        bottom = max((last + 1 - t if reverse else t for t in cut_at), default=1)
        if carries_losses(network) and network.truncate is not None:
            bottom = max(1, last - network.truncate)
        bottom = min(bottom, last)
        return total[bottom:][::-1, None], np.array([last - bottom])
    by_sample: Array = np.hypot.reduce(np.array([tape.norms_by_sample(gradient(name)) for name in names]), axis=0)
    samples = range(tape.plan.batch)
    ends: Array = np.full(len(samples), last) if tape.lengths is None else tape.lengths
    places = [[cut.t for cut in cuts(tape, sample, reverse=reverse)] for sample in samples]
    if reverse:
        steps: Array = np.minimum([min(at, default=last) for at in places], ends) - 1
    else:
        steps = ends - np.minimum([max(at, default=1) for at in places], ends)
    back: Array = np.arange(int(steps.max()) + 1)[:, None]
    t: Array = 1 + back + 0 * ends if reverse else ends - back
    rows: Array = np.clip(t - scene.program.quantities[gradient(names[0])].first, 0, last)
    return np.where(back <= steps, by_sample[rows, np.arange(len(samples))], 0), steps


def _share(norms: Array, steps: Array) -> Array:
    """(K+1,) each row as a share of the first one, over the samples that are in it."""
    within = np.arange(len(norms))[:, None] <= steps
    with np.errstate(all="ignore"):
        return row_norms(norms) / row_norms(np.where(within, norms[0], 0))


def _mean(share: Array, k: int) -> float | None:
    ratio = float(share[k])
    return ratio ** (1 / k) if k and 0 < ratio < float("inf") else None


def _split(scene: Scene, layer: Layer, k: int, value: float) -> str:
    """Of a cell whose error takes one way through a step (dz): the activation's share of the gain, and the weights'."""
    output = layer.table.output
    network = scene.tape.plan.network
    every = network.predict == "every"
    if every and layer.number < network.layers[-1].number:
        return ""  # the layers above add to it at every step
    factors = split(scene.program, output, NEXT if every else "")
    if factors is None:
        return ""
    whole, _ = _from_the_end(scene, layer, (output,))
    after, steps = _from_the_end(scene, layer, (factors.middle.removeprefix("d"),))
    there = steps >= k
    with np.errstate(all="ignore"):
        ratios = np.log(row_norms(after[:k, there]) / row_norms(whole[:k, there]))
    activation = float(np.exp(ratios.mean()))
    if not 0 < activation < float("inf"):
        return ""
    return f" = {factors.function}′ {short(activation)} × {scene.spell(factors.weights)} {short(value / activation)}"


def _by_gates(scene: Scene, layer: Layer, k: int) -> str:
    """Of a cell with gates: the gain of the state that a gate lets through, how much it lets through, and the bias that opens it."""
    said: list[str] = []
    for state, gate, bias in kept_by_gates(scene, layer):
        through = float(np.asarray(scene.tape[gate])[scene.counted()].mean())
        said.append(f"the gate {scene.spell(gate)} lets {short(through)} of {scene.spell(state)} through")
        if scene.tape.plan.network.predict != "every" and len(layer.table.states) > 1:
            alone = _mean(_share(*_from_the_end(scene, layer, (state,))), k)
            said[-1] = f"{scene.spell(gradient(state))} {short(alone or 0.0)}: " + said[-1]
        if bias and through < 0.9:
            said[-1] += f"; what if: --set '{bias} = {_more(scene, bias):g}'"
    return "".join(f", {each}" for each in said)


def _more(scene: Scene, bias: str) -> float:
    """One more than a bias is on average: that is what opens a gate that is half open to 0.73."""
    return round(float(np.mean(scene.tape[bias])) + 1, 1)


def kept_by_gates(scene: Scene, layer: Layer) -> Iterator[tuple[str, str, str]]:
    """For each state of a layer that a gate multiplies from one step to the next: the state, the gate, and its bias ("" without one)."""
    lines = {line.name: line.equation.expression for line in scene.cell_lines()}
    for state in layer.table.states:
        for node in walk(lines[state]):
            parts = factors(node)
            if not any(isinstance(part, Name) and part.name == state and part.step for part in parts):
                continue
            for part in parts:
                right = lines.get(part.name) if isinstance(part, Name) else None
                if isinstance(part, Name) and isinstance(right, Call) and right.function == GATE:
                    yield state, part.name, _bias(scene, layer, lines, right)
                    break
            else:
                continue
            break


def _bias(scene: Scene, layer: Layer, lines: dict[str, Expression], gate: Call) -> str:
    """The parameter, one number a unit, that is added in a gate's argument."""
    argument = gate.arguments[0]
    inside = lines.get(argument.name, argument) if isinstance(argument, Name) else argument
    added = [addend.name for addend in addends(inside) if isinstance(addend, Name)]
    axes = scene.tape.plan.network.parameter_axes
    return next((name for name in added if axes.get(name) == (layer.units,)), "")
