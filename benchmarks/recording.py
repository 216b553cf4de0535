"""Recording an iteration, against nothing but its matrix products, and the memory it takes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.measure import Row, alternate, milliseconds, ratios
from benchmarks.models import Shape, network, samples
from engine.plan import Plan, plan
from engine.tape import record_with

SHAPES = (Shape(10, 10, 1, 10), Shape(32, 100, 32, 64), Shape(64, 200, 64, 128))
ROUNDS = 15
ABOUT = 30.0
"""Milliseconds that one measured value lasts at least: short recordings are repeated."""


def measure() -> Iterator[Row]:
    """For each shape the recording, the products, their ratio, and the peak of memory over what the arrays need."""
    for shape in SHAPES:
        X, y = samples(shape)
        prepared = plan(network(shape), shape.B, shape.T)
        products = _products(shape)

        def record(prepared: Plan = prepared, X: np.ndarray = X, y: np.ndarray = y) -> object:
            return record_with(prepared, X, y)

        record()
        repeat = max(1, round(ABOUT / milliseconds(record)))
        actions = {
            "record": lambda record=record, repeat=repeat: milliseconds(record, repeat),
            "products": lambda products=products, repeat=repeat: milliseconds(products, repeat),
        }
        took = alternate(actions, ROUNDS)
        yield Row(f"record, {shape}", "ms", took["record"])
        yield Row(f"its products alone, {shape}", "ms", took["products"])
        yield Row(f"record, ratio, {shape}", "×", ratios(took["record"], took["products"]))
        peaks = [_peak(record) for _ in range(3)]
        yield Row(f"record, peak memory, {shape}", "MB", [peak / 1e6 for peak in peaks])
        yield Row(f"record, peak / arrays, {shape}", "×", [peak / prepared.nbytes() for peak in peaks])


def _peak(action: Callable[[], object]) -> int:
    tracemalloc.start()
    action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _products(shape: Shape) -> Callable[[], None]:
    """The products of the recurrent lines, step by step where the recurrence needs it, at once where it does not."""
    rng = np.random.default_rng(0)
    B, T, D, H, _ = shape
    x, a, dz = (rng.normal(size=(T, B, n)) for n in (D, H, H))
    Wx, Wa = rng.normal(size=(D, H)), rng.normal(size=(H, H))
    z, da, dx = np.empty((T, B, H)), np.empty((T, B, H)), np.empty((T, B, D))
    step = np.empty((B, H))
    dWx, dWa = np.empty((D, H)), np.empty((H, H))
    flat = [array.reshape(T * B, -1) for array in (x, a, dz, z, dx)]

    def run() -> None:
        x_all, a_all, dz_all, z_all, dx_all = flat
        np.matmul(x_all, Wx, out=z_all)
        for t in range(T):
            np.matmul(a[t], Wa, out=step)
        for t in reversed(range(T)):
            np.matmul(dz[t], Wa.T, out=da[t])
        np.matmul(dz_all, Wx.T, out=dx_all)
        np.matmul(x_all.T, dz_all, out=dWx)
        np.matmul(a_all.T, dz_all, out=dWa)

    return run
