"""Which loss reaches which step, against automatic differentiation of each step's loss alone."""

from __future__ import annotations

from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given

from engine import InputError
from engine.explain import reach as reach_module
from engine.explain.reach import one_loss, reach
from engine.recording.record import record
from engine.recording.tape import Tape
from engine.session import open_session
from tests.engine.reference import forward, passes, state_widths, values_and_probes
from tests.engine.strategies import Case, all_cases, case
from tests.examples import examples


def taped(drawn: Case) -> Tape:
    return record(drawn.network, drawn.X, drawn.y, initial=drawn.initial, lengths=drawn.lengths)


def alone(drawn: Case) -> dict[str, np.ndarray[Any, Any]]:
    """(T, T+1, B, H) by state: for each step s the gradient of what it adds to the loss."""
    (T, B), states = drawn.mask.shape, state_widths(drawn)
    start = values_and_probes(drawn)
    total = {name: np.zeros((T, T + 1, B, units)) for name, units in states.items()}
    for cuts, weight in passes(drawn):

        def each_loss(both: Any, cuts: Any = cuts, weight: Any = weight) -> Any:
            return anp.sum(weight * forward(drawn, *both, cuts)[1], axis=1)

        back, _ = autograd.make_vjp(each_loss)(start)
        for row in np.flatnonzero(weight.any(axis=1)):
            by_value, by_probe = back(np.eye(T)[row])
            for name in states:
                turn = -1 if name.endswith("r") else 1
                total[name][row] += np.concatenate([by_value[f"{name}_start"][None], by_probe[name]][::turn])
    return total


@examples(60)
@given(all_cases(predict="every"))
def test_each_loss_reaches_what_its_own_gradient_reaches(drawn: Case) -> None:
    tape = taped(drawn)
    steps = tape.plan.steps
    for state, gradients in alone(drawn).items():
        for sample in (None, 0):
            own = gradients if sample is None else gradients[:, :, :1]
            norms = np.linalg.norm(own.reshape(steps, steps + 1, -1), axis=2)
            np.testing.assert_allclose(reach(tape, state, sample=sample), norms, rtol=1e-9, atol=1e-15)


@examples(30)
@given(all_cases(predict="every"))
def test_one_loss_alone_is_its_row_of_all(drawn: Case) -> None:
    tape = taped(drawn)
    for loss in range(1, tape.plan.steps + 1):
        alone = one_loss(tape, loss)
        for name in [f"d{state}" for state in tape.plan.network.table.states]:
            np.testing.assert_allclose(
                alone[name], reach(tape, name.removeprefix("d"))[loss - 1], rtol=1e-9, atol=1e-300
            )


@pytest.mark.parametrize("bidirectional", [False, True])
def test_what_one_loss_passes_through_lies_between_the_gradients_of_two_steps(bidirectional: bool) -> None:
    """With one unit |da_{t-1}| is |dz_t| · |Wa|, and in the reverse direction |da_{t+1}|."""
    session = open_session("sonnet", {"hidden": (1,), "bidirectional": bidirectional, "activation": "tanh"})
    tape = session.debugger.tape(0)
    state, reverse = ("a1", "a1r") if bidirectional else ("a", "")
    steps = tape.plan.steps
    last = one_loss(tape, steps, sample=0)
    weight = abs(float(tape.parameters["Wa1" if bidirectional else "Wa"][0, 0]))
    between = "dz1" if bidirectional else "dz"
    np.testing.assert_allclose(last[f"d{state}"][:-1], last[between][1:] * weight, rtol=1e-9)
    if reverse:
        first, weight = one_loss(tape, 1, sample=0), abs(float(tape.parameters["Wa1r"][0, 0]))
        np.testing.assert_allclose(first["da1r"][1:], first["dz1r"][:-1] * weight, rtol=1e-9)


def test_no_loss_reaches_a_later_step() -> None:
    found = reach(open_session("sonnet", {}).debugger.tape(0))
    assert not np.triu(found[:, 1:], 1).any()
    assert (np.diagonal(found[:, 1:]) > 0).all()


def test_a_window_ends_each_losss_reach() -> None:
    found = reach(open_session("delayed_recall", {}).debugger.tape(0))
    for s in range(1, 17):
        reached = np.flatnonzero(found[s - 1])
        assert reached.min() == max(0, s - 3), s


def test_one_loss_only_and_too_much_work_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="one loss only"):
        reach(taped(case()))
    monkeypatch.setattr(reach_module, "LIMIT", 10)
    with pytest.raises(InputError, match="too much to carry"):
        reach(taped(case(predict="every")))
