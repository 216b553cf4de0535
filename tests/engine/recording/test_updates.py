"""Clipping, optimizers and mini-batches against plain NumPy written from PyTorch's documentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Debugger, InputError, Network, Tape, record
from tests.engine.strategies import Case, all_cases, case
from tests.examples import examples

Array = np.ndarray[Any, Any]
ITERATIONS = 5


@dataclass
class Reference:
    """torch.nn.utils.clip_grad_norm_ and clip_grad_value_, torch.optim.SGD and Adam, as their pages write them down; one update a call."""

    optimizer: str
    lr: float
    clip_norm: float | None
    clip_value: float | None
    parameters: dict[str, Array]
    first: dict[str, Array] = field(default_factory=dict)
    second: dict[str, Array] = field(default_factory=dict)
    t: int = 0

    def update(self, gradients: Mapping[str, Array]) -> dict[str, Array]:
        """The quantities of the update by the tape's names; `parameters` are the new ones afterwards."""
        self.t += 1
        found, clipped = {}, dict(gradients)
        if self.clip_norm is not None:
            found["gnorm"] = np.linalg.norm([np.linalg.norm(g) for g in gradients.values()])
            found["gnorm_squared"] = found["gnorm"] ** 2
            clipped = {k: g * min(self.clip_norm / (found["gnorm"] + 1e-6), 1.0) for k, g in clipped.items()}
        if self.clip_value is not None:
            clipped = {k: np.minimum(np.maximum(g, -self.clip_value), self.clip_value) for k, g in clipped.items()}
        if self.clip_norm is not None or self.clip_value is not None:
            found |= {f"d{k}_clipped": g for k, g in clipped.items()}
            found |= {f"d{k}_cut": gradients[k] - g for k, g in clipped.items()}
        step = {"sgd": self.sgd, "momentum": self.momentum, "adam": self.adam}[self.optimizer]
        for name, g in clipped.items():
            found |= step(name, g)
        return found

    def sgd(self, name: str, g: Array) -> dict[str, Array]:
        self.parameters[name] = self.parameters[name] - self.lr * g
        return {}

    def momentum(self, name: str, g: Array) -> dict[str, Array]:
        b = g if self.t == 1 else 0.9 * self.first[name] + g
        self.first[name] = b
        self.parameters[name] = self.parameters[name] - self.lr * b
        return {f"v{name}": b}

    def adam(self, name: str, g: Array) -> dict[str, Array]:
        m = 0.9 * self.first.get(name, 0) + (1 - 0.9) * g
        v = 0.999 * self.second.get(name, 0) + (1 - 0.999) * g * g
        self.first[name], self.second[name] = m, v
        m_hat, v_hat = m / (1 - 0.9**self.t), v / (1 - 0.999**self.t)
        self.parameters[name] = self.parameters[name] - self.lr * m_hat / (np.sqrt(v_hat) + 1e-8)
        return {f"m{name}": m, f"v{name}": v, f"m{name}_hat": m_hat, f"v{name}_hat": v_hat}


def close(got: Array, wanted: Array, what: str) -> None:
    assert got.shape == np.shape(wanted), what
    np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12 * np.max(np.abs(wanted), initial=0), err_msg=what)


def samples_of(tape: Tape, case: Case) -> Array:
    """Which samples of the data an iteration works on."""
    return np.arange(len(case.X)) if tape.samples is None else tape.samples


def chosen(case: Case, samples: Array) -> Case:
    """The case with some of its samples only."""
    initial = case.initial and {name: state[samples] for name, state in case.initial.items()}
    lengths = None if case.lengths is None else case.lengths[samples]
    return replace(case, X=case.X[samples], y=case.y[samples], initial=initial, lengths=lengths)


updates = st.fixed_dictionaries(
    {
        "optimizer": st.sampled_from(["sgd", "momentum", "adam"]),
        "lr": st.sampled_from([0.01, 0.1, 0.5]),
        "clip_norm": st.none() | st.sampled_from([0.05, 0.5, 5.0]),
        "clip_value": st.none() | st.sampled_from([0.003, 0.03, 0.3]),
    }
)


@examples(40, derandomize=True)
@given(all_cases(), updates, st.none() | st.integers(1, 7))
def test_updates_are_those_of_the_documentation(case: Case, options: dict[str, Any], batch_size: int | None) -> None:
    network = replace(case.network, **options)
    debugger = Debugger(network, case.X, case.y, initial=case.initial, lengths=case.lengths, batch_size=batch_size)
    own = Reference(**options, parameters=dict(network.weights))
    for iteration in range(ITERATIONS):
        tape = debugger.tape(iteration)
        for name, value in own.parameters.items():
            close(tape.parameters[name], value, f"{name} before iteration {iteration}")
        found = own.update(tape.gradients)
        assert set(tape.updates) == {*found, *own.parameters}
        for name, value in {**found, **own.parameters}.items():
            close(tape.updates[name], value, f"{name} of the update {iteration}")
    weights = debugger.network_at(ITERATIONS).weights
    for name, value in own.parameters.items():
        close(weights[name], value, f"{name} after the last iteration")
    tape = debugger.tape(ITERATIONS)
    batch = chosen(case, samples_of(tape, case))
    again = record(
        network, batch.X, batch.y, parameters=weights, initial=batch.initial, lengths=batch.lengths, updates=ITERATIONS
    )
    for name, gradient in tape.gradients.items():
        np.testing.assert_allclose(gradient, again.gradients[name], rtol=1e-9, atol=1e-12, err_msg=f"d{name}")


@examples(40, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 5))
def test_every_epoch_goes_once_through_all_samples(batch: int, size: int, seed: int) -> None:
    one = case(batch=batch, steps=2, seed=seed, ragged=True, predict="every")
    assert one.initial is not None
    assert one.lengths is not None
    debugger = Debugger(one.network, one.X, one.y, initial=one.initial, lengths=one.lengths, batch_size=size)
    a_epoch = -(-batch // size)
    for epoch in range(3):
        seen: list[int] = []
        for iteration in range(epoch * a_epoch, (epoch + 1) * a_epoch):
            tape = debugger.tape(iteration)
            samples = samples_of(tape, one)
            seen += list(samples)
            drawn = chosen(one, samples)
            assert drawn.initial is not None
            np.testing.assert_array_equal(tape["x"], np.moveaxis(drawn.X, 0, 1))
            np.testing.assert_array_equal(tape["y"], np.moveaxis(drawn.y, 0, 1))
            np.testing.assert_array_equal(tape["a"][0], drawn.initial["a"])
            if "mask" in tape:
                np.testing.assert_array_equal(tape["mask"], drawn.mask)
        assert sorted(seen) == list(range(batch))


def test_epochs_come_in_an_order_of_their_own_that_the_seed_says() -> None:
    def order(seed: int) -> list[list[int]]:
        one = case(batch=8, steps=2, seed=seed)
        debugger = Debugger(one.network, one.X, one.y, batch_size=4)
        return [list(samples_of(debugger.tape(iteration), one)) for iteration in range(6)]

    first = order(3)
    assert first == order(3)
    assert first != order(4)
    assert first[:2] != first[2:4] != first[4:]


@pytest.mark.parametrize("clip", [{"clip_norm": 1e9}, {"clip_value": 1e9}, {"clip_norm": 1e9, "clip_value": 1e9}])
def test_a_bound_that_is_not_passed_cuts_nothing(clip: dict[str, float]) -> None:
    one = case()
    tape = record(replace(one.network, **clip), one.X, one.y)
    for name, gradient in tape.gradients.items():
        np.testing.assert_array_equal(tape[f"d{name}_clipped"], gradient)
        assert not tape[f"d{name}_cut"].any()


def test_what_is_clipped_and_what_is_cut_add_up_to_the_gradient() -> None:
    one = case()
    tape = record(replace(one.network, clip_norm=0.01), one.X, one.y)
    for name, gradient in tape.gradients.items():
        np.testing.assert_allclose(tape[f"d{name}_clipped"] + tape[f"d{name}_cut"], gradient, rtol=1e-14)
    clipped = [tape[f"d{name}_clipped"] for name in tape.gradients]
    assert np.sqrt(sum((part**2).sum() for part in clipped)) == pytest.approx(0.01, rel=1e-4)


def test_a_gradient_that_is_no_number_is_not_hidden_by_the_clip() -> None:
    one = case(activation="identity")
    tape = record(replace(one.network, clip_norm=1.0), np.full_like(one.X, np.nan), one.y)
    assert np.isnan(tape["gnorm"])
    assert np.isnan(tape["dWa_clipped"]).all()


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_has_at_least_one_sample(size: int) -> None:
    one = case()
    with pytest.raises(InputError, match="batch_size must be at least 1"):
        Debugger(one.network, one.X, one.y, batch_size=size)


@pytest.mark.parametrize("option", ["clip_norm", "clip_value"])
@pytest.mark.parametrize("value", [0, -1.0, float("inf"), float("nan")])
def test_a_bound_must_be_a_number_above_0(option: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{option} must be a number above 0"):
        Network(inputs=1, outputs=2, **{option: value})
