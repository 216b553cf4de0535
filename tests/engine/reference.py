"""Whole networks written out in autograd's NumPy, with nothing of the engine in them: every quantity and its gradient.

A probe is an array of zeros added to a quantity, so that its gradient is the quantity's. Three probes stand on a state's ways out:
to this step's own lines and read-out (`_out`), to the next step before truncation (`_next`) and after it (`_full`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval

from engine.language.functions import FUNCTIONS
from tests.engine.strategies import Case

Array = np.ndarray[Any, Any]
Put = Callable[[str, Any], Any]
Cuts = tuple[Array, Array]
"""(T, B) booleans for the forward and the reverse direction: from which steps nothing flows to the one that ran before."""
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": anp.tanh,
    "relu": lambda z: anp.maximum(z, 0),
    "sigmoid": lambda z: 1 / (1 + anp.exp(anp.minimum(-z, 700))),  # beyond it exp has no float
    "identity": lambda z: z,
}
sigmoid = ACTIVATIONS["sigmoid"]


def activation(name: str) -> Callable[[Any], Any]:
    """One of those above; for any other the call as printed programs have it, in autograd's NumPy."""
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    scope: dict[str, Any] = {"np": anp}
    exec(FUNCTIONS[name].definition, scope)
    return eval(f"lambda u: {FUNCTIONS[name].source.format('u')}", scope)


OUTPUT = {"rnn": "a", "lstm": "h", "gru": "h"}


@primitive
def stopped(u: Any) -> Any:
    """`u`, through which nothing flows back."""
    return u


defvjp(stopped, lambda answer, u: np.zeros_like)


# One step of a cell: `put` names a quantity and gives it back with its probe, `hold` does so for a state.


def rnn(x: Any, prev: Mapping[str, Any], W: Mapping[str, Any], put: Put, hold: Put, g: Callable[[Any], Any]) -> None:
    hold("a", g(put("z", x @ W["Wx"] + prev["a"] @ W["Wa"] + W["ba"])))


def lstm(x: Any, prev: Mapping[str, Any], W: Mapping[str, Any], put: Put, hold: Put, g: Callable[[Any], Any]) -> None:
    z = {k: put(f"z{k}", x @ W[f"Wx{k}"] + prev["h"] @ W[f"Wh{k}"] + W[f"b{k}"]) for k in "ifgo"}
    gate = {k: put(k, (anp.tanh if k == "g" else sigmoid)(z[k])) for k in "ifgo"}
    c = hold("c", gate["f"] * prev["c"] + gate["i"] * gate["g"])
    hold("h", gate["o"] * put("tanh_c", anp.tanh(c)))


def gru(x: Any, prev: Mapping[str, Any], W: Mapping[str, Any], put: Put, hold: Put, g: Callable[[Any], Any]) -> None:
    h = prev["h"]
    r = put("r", sigmoid(put("zr", x @ W["Wxr"] + h @ W["Whr"] + W["br"])))
    z = put("z", sigmoid(put("zz", x @ W["Wxz"] + h @ W["Whz"] + W["bz"])))
    hn = put("hn", h @ W["Whn"] + W["bhn"])
    n = put("n", anp.tanh(put("zn", x @ W["Wxn"] + W["bn"] + r * hn)))
    hold("h", (1 - z) * n + z * h)


CELLS = {"rnn": rnn, "lstm": lstm, "gru": gru}
QUANTITIES = {
    "rnn": ("z",),
    "lstm": ("zi", "zf", "zg", "zo", "i", "f", "g", "o", "tanh_c"),
    "gru": ("zr", "zz", "zn", "r", "z", "n", "hn"),
}


def losses(case: Case, logits: Any, y: Array) -> Any:
    """A loss a sample, (B,)."""
    if case.network.loss == "squared":
        return anp.sum((logits - y) ** 2, axis=1)
    if case.network.loss == "binary":
        u = logits[:, 0]
        return anp.maximum(u, 0) - y * u + anp.log(1 + anp.exp(-anp.abs(u)))
    shifted = logits - anp.max(logits, axis=1, keepdims=True)
    return anp.log(anp.sum(anp.exp(shifted), axis=1)) - shifted[anp.arange(len(y)), y]


def forward(case: Case, values: Mapping[str, Any], probe: Mapping[str, Any], cuts: Cuts) -> tuple[dict[str, Any], Any]:
    """All rows of all quantities by name, and each step's losses (T or 1, B). `cuts` say where nothing flows back."""
    T, found = len(case.mask), dict[str, list[Any]]()
    # Each look into autograd's own dictionary costs as much as all that is in it.
    values, probe = ({name: held[name] for name in held} for held in (values, probe))
    every, read, last = case.network.predict == "every", [*values["x"]], dict[str, Any]()
    if case.network.embedding:
        read = found["e"] = [x @ values["We"] + probe["e"][t] for t, x in enumerate(read)]
    below: list[list[Any]] = []
    for layer in case.marks:
        outputs: list[list[Any]] = []
        for mark in layer:
            reverse = mark.endswith("r")
            here = [row + probe[f"{joint(case, layer)}_r"][t] for t, row in enumerate(read)] if reverse else read
            outputs.append(direction(case, values, probe, cuts[reverse], mark, here, found))
            if below and case.network.residual:
                outputs[-1] = added(case, mark, outputs[-1], below[reverse], probe, found)
            last[mark] = outputs[-1][0 if reverse else -1]
        read, below = outputs[0], outputs
        if len(layer) > 1 and (every or layer != case.marks[-1]):
            both = f"both{layer[0]}"
            read = [anp.concatenate(pair, axis=1) + probe[both][t] for t, pair in enumerate(zip(*outputs, strict=True))]
            found[both] = read
        if case.network.dropout and (every or layer != case.marks[-1]):
            read = dropped(case, layer, read, probe, found)
    top = case.marks[-1]
    if not every:
        read = [last[top[0]]]
        if len(top) > 1:
            read = [anp.concatenate([last[mark] for mark in top], axis=1) + probe[f"both{top[0]}"][0]]
            found[f"both{top[0]}"] = read
        if case.network.dropout:
            read = dropped(case, top, read, probe, found)
    each = []
    for row, state in enumerate(read):
        found.setdefault("logits", []).append(state @ values["Wy"] + values["by"] + probe["logits"][row])
        each.append(losses(case, found["logits"][-1], case.y[:, row] if every else case.y))
    assert len(each) == (T if every else 1)
    return dict(found), anp.array(each)


def added(
    case: Case, mark: str, own: list[Any], below: list[Any], probe: Mapping[str, Any], found: dict[str, list[Any]]
) -> list[Any]:
    """A direction's output and that of the layer below, of which the reverse direction's is read by both of this layer."""
    name = f"res{mark}"
    if mark.endswith("r"):
        below = [row + probe[f"{beneath(case, mark)}_r"][t] for t, row in enumerate(below)]
    found[name] = [row + under + probe[name][t] for t, (row, under) in enumerate(zip(own, below, strict=True))]
    return found[name]


def beneath(case: Case, mark: str) -> str:
    """What the layer below hands on in the same direction."""
    lower = int(mark.removesuffix("r")) - 1
    return f"{'res' if lower > 1 else OUTPUT[case.cell]}{lower}{'r' * mark.endswith('r')}"


def dropped(
    case: Case, layer: tuple[str, ...], read: list[Any], probe: Mapping[str, Any], found: dict[str, list[Any]]
) -> list[Any]:
    """What a mask leaves of a layer's output."""
    masks = np.moveaxis(case.keep(layer[0], len(read)), 1, 0)
    found[f"kept{layer[0]}"] = [row * masks[t] + probe[f"kept{layer[0]}"][t] for t, row in enumerate(read)]
    return found[f"kept{layer[0]}"]


def joint(case: Case, layer: tuple[str, ...]) -> str:
    """What both directions of a layer read."""
    number, below = int(layer[0]), "kept" if case.network.dropout else "both"
    return f"{below}{number - 1}" if number > 1 else "e" if case.network.embedding else "x"


def direction(
    case: Case,
    values: Mapping[str, Any],
    probe: Mapping[str, Any],
    cut: Array,
    mark: str,
    read: list[Any],
    found: dict[str, list[Any]],
) -> list[Any]:
    """One layer in one direction over all steps; its rows are added to `found`. Gives its output at each step."""
    T, reverse = len(read), mark.endswith("r")
    states = [s for s in case.network.table.states if s.endswith(mark)]
    weights = {w[: len(w) - len(mark)]: value for w, value in values.items() if w.endswith(mark)}
    learned = {s: weights.get(f"{s[: len(s) - len(mark)]}0", 0.0) for s in states}
    now = {s: values[f"{s}_start"] + learned[s] for s in states}
    rows = {s: [now[s]] for s in states}
    put_rows: dict[str, list[Any]] = {}
    outputs: list[Any] = []
    for t in reversed(range(T)) if reverse else range(T):
        prev, out = {}, {}
        for s in states:
            flow = now[s] + probe[f"{s}_next"][t]
            prev[s] = anp.where(cut[t][:, None], stopped(flow), flow) + probe[f"{s}_full"][t]

        def put(name: str, value: Any, t: int = t) -> Any:
            put_rows.setdefault(name + mark, []).append(value + probe[name + mark][t])
            return put_rows[name + mark][-1]

        def hold(name: str, new: Any, t: int = t, prev: Any = prev, out: Any = out) -> Any:
            s = name + mark
            now[s] = anp.where(case.mask[t][:, None], new, prev[s]) + probe[s][t]
            rows[s].append(now[s])
            out[s] = now[s] + probe[f"{s}_out"][t]
            return out[s]

        before = {s[: len(s) - len(mark)]: row for s, row in prev.items()}
        CELLS[case.cell](read[t], before, weights, put, hold, activation(case.network.activation))
        outputs.append(out[OUTPUT[case.cell] + mark])
    for name, recorded in (put_rows | rows).items():
        found[name] = recorded[::-1] if reverse else recorded
    return outputs[::-1] if reverse else outputs


def counted(case: Case) -> Array:
    """What each entry of `forward`'s losses weighs in the loss."""
    every = case.network.predict == "every"
    entries = case.mask.astype(float) if every else np.ones((1, len(case.y)))
    if case.network.reduction == "sum":
        return entries
    return entries / entries.sum() / (case.network.outputs if case.network.loss == "squared" else 1)


def passes(case: Case) -> Iterator[tuple[Cuts, Array]]:
    """The gradients to add up: where the flow is cut in each direction, and what each loss weighs.

    A window that belongs to each of many losses takes a gradient of its own for each; WildML: the loss at s goes through s, s−1, …, s−K.
    """
    weight, mask, K = counted(case), case.mask, case.network.truncate
    t = np.arange(1, len(mask) + 1)[:, None]
    if K is None:
        yield (np.zeros_like(mask), np.zeros_like(mask)), weight
    elif case.network.truncate_by == "chunk":
        chunk = np.isin(t, range(K + 1, len(mask) + 1, K))
        # Between the same runs of steps: from a step whose successor begins one, and is within the sample.
        beginnings = np.concatenate([chunk[1:] & mask[1:], np.zeros_like(mask[:1])])
        yield (mask & chunk, beginnings), weight
    elif case.network.predict == "last":
        yield (t == mask.sum(axis=0) - K, mask & (t == K + 1)), weight
    else:
        for s in range(1, len(mask) + 1):
            yield (mask & (t == s - K), mask & (t == s + K)), np.where(t == s, weight, 0)


def state_widths(case: Case) -> dict[str, int]:
    """How many units each state has."""
    return {state: case.network.sizes[axis] for state, (_, axis) in case.network.state_axes.items()}


def values_and_probes(case: Case) -> tuple[dict[str, Array], dict[str, Array]]:
    """What `forward` starts from: weights, initial states and the input; and probes of zeros, one on each quantity."""
    (T, B), every, H = case.mask.shape, case.network.predict == "every", state_widths(case)
    initial = {f"{s}_start": case.initial[s] if case.initial else np.zeros((B, H[s])) for s in H}
    values = {**case.network.weights, **initial, "x": np.moveaxis(case.X, 0, 1)}
    width = {mark: h for layer, h in zip(case.marks, case.network.units, strict=True) for mark in layer}
    places = {name + n: units for name in QUANTITIES[case.cell] for n, units in width.items()} | H
    places |= {f"{s}_{way}": H[s] for s in H for way in ("out", "next", "full")}
    places |= {"e": case.network.embedding} if case.network.embedding else {}
    if case.network.bidirectional:
        places |= {f"both{layer[0]}": 2 * width[layer[0]] for layer in case.marks}
    if case.network.dropout:
        places |= {f"kept{layer[0]}": len(layer) * width[layer[0]] for layer in case.marks}
    if case.network.residual:
        upper = [mark for layer in case.marks[1:] for mark in layer]
        places |= {f"res{mark}": width[mark] for mark in upper}
        places |= {f"{beneath(case, mark)}_r": width[mark] for mark in upper if mark.endswith("r")}
    if case.network.bidirectional:
        read = {**places, "x": case.network.inputs}
        places |= {f"{joint(case, layer)}_r": read[joint(case, layer)] for layer in case.marks}
    probe = {name: np.zeros((T, B, units)) for name, units in places.items()}
    for name in () if every else once(case):
        probe[name] = probe[name][:1]
    return values, probe | {"logits": np.zeros((T if every else 1, B, case.network.outputs))}


def once(case: Case) -> list[str]:
    """What is made of the last layer's output, where it is read out once."""
    made = {"both": case.network.bidirectional, "kept": case.network.dropout}
    return [f"{name}{case.marks[-1][0]}" for name, there in made.items() if there]


def reference(case: Case) -> dict[str, Array]:
    """Everything under the tape's names and in its shapes."""
    B, H = len(case.X), state_widths(case)
    states, every = tuple(H), case.network.predict == "every"
    values, probe = values_and_probes(case)
    result: dict[str, Any] = {}

    gradients: dict[str, Any] = {}
    for cuts, weight in passes(case):

        def loss(both: Any, cuts: Cuts = cuts, weight: Array = weight) -> Any:
            found, each = forward(case, *both, cuts)
            if not result:  # the numbers are those of every pass
                result.update({name: np.array([getval(row) for row in rows]) for name, rows in found.items()})
                result["loss"] = np.sum(counted(case) * getval(each))
            return anp.sum(weight * each)

        by_value, by_probe = autograd.grad(loss)((values, probe))
        parts = {**by_value, **by_probe}
        parts |= {f"{s}_cut": by_probe[f"{s}_full"] * cuts[s.endswith("r")][:, :, None] for s in states}
        gradients = {name: gradients.get(name, 0) + part for name, part in parts.items()}
    for s in states:
        nothing, turn = np.zeros((1, B, H[s])), -1 if s.endswith("r") else 1
        gradients[s] = np.concatenate([gradients.pop(f"{s}_start")[None], gradients[s]][::turn])
        gradients[f"{s}_out"] = np.concatenate([nothing, gradients[f"{s}_out"]][::turn])
        for way in ("next", "full", "cut"):
            gradients[f"{s}_{way}"] = np.concatenate([gradients[f"{s}_{way}"], nothing][::turn])
            if case.network.truncate is None and way != "next":
                del gradients[f"{s}_{way}"]
    result |= {f"d{name}": gradient for name, gradient in gradients.items()}
    if not every:
        result |= {f"{d}{name}": result[f"{d}{name}"][0] for name in ("logits", *once(case)) for d in ("", "d")}
    if case.network.loss != "squared":
        result["p"] = probabilities(case, result["logits"])
    return result


def probabilities(case: Case, logits: Array) -> Array:
    if case.network.loss == "binary":
        return sigmoid(logits)
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
