"""Recording an iteration with everything kept: against its bare matrix products, against PyTorch, and the memory it takes."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace

from benchmarks.measure import Row, alternate, milliseconds, ratios
from benchmarks.models import Shape, network, samples
from benchmarks.products import products
from benchmarks.torch_peer import available, torch_step
from engine.model.network import Network
from engine.recording.plan import plan
from engine.recording.record import record_with

SHAPES = (
    Shape(10, 10, 1, 10),
    Shape(32, 100, 32, 64),
    Shape(64, 200, 64, 128),
    Shape(64, 100, 128, 512),
    Shape(1, 1000, 32, 64),
    Shape(64, 200, 64, 128, every=True),
    Shape(64, 100, 128, 512, every=True),
)
CELLS = ("rnn", "lstm", "gru")
DTYPES = ("float64", "float32")
LARGE = 128
"""Units from which the products should outweigh everything else."""

ROUNDS = 15
ABOUT = 30.0
"""Milliseconds that one measured value lasts at least: short recordings are repeated."""
AT_MOST = 6000.0
"""Milliseconds that all rounds of one action last about at most: long recordings get fewer of them, but five."""
REST = 0.03
"""Seconds before each value, in which threads that wait busily for more work give up."""


def measure() -> Iterator[Row]:
    """For each cell, precision and shape: the recording's time, as a multiple of its peers', and its memory over the arrays'.

    `record` writes into arrays that were used before, as the debugger does when it goes on to the next iteration; `afresh` gets its
    memory from the system, which costs what the system takes for clean pages.
    """
    for cell in CELLS:
        for dtype in DTYPES:
            for shape in SHAPES:
                yield from _measure(cell, dtype, shape)
    for cell in CELLS:
        for shape in SHAPES[1:3]:
            yield from _together(cell, shape)


def _together(cell: str, shape: Shape) -> Iterator[Row]:
    """Two layers, and one in two directions, against the sum of their layers recorded alone."""
    one = network(shape, cell)
    networks = {
        "one": one,
        "above": network(shape._replace(D=shape.H), cell),
        "layers": replace(one, hidden=(shape.H, shape.H), weights={}),
        "directions": replace(one, bidirectional=True, weights={}),
    }
    took = _alternating({name: _recording(model, shape) for name, model in networks.items()})
    sums = {"layers": [a + b for a, b in zip(took["one"], took["above"], strict=True)]}
    sums["directions"] = [2 * value for value in took["one"]]
    for name, alone in sums.items():
        yield Row(f"two {name} / their sum, {cell} {shape}", "×", ratios(took[name], alone), 1.1)


def _recording(model: Network, shape: Shape) -> Callable[[], object]:
    """Recording a network again into arrays that were used before."""
    X, y = samples(shape._replace(D=model.inputs))
    prepared = plan(model, shape.B, shape.T)
    arrays = dict(record_with(prepared, X, y).arrays)
    return lambda: record_with(prepared, X, y, into=arrays)


def _measure(cell: str, dtype: str, shape: Shape) -> Iterator[Row]:
    X, y = samples(shape)
    model = network(shape, cell, dtype)
    prepared = plan(model, shape.B, shape.T)

    def afresh() -> object:
        return record_with(prepared, X, y)

    arrays = dict(record_with(prepared, X, y).arrays)
    actions: dict[str, Callable[[], object]] = {
        "record": lambda: record_with(prepared, X, y, into=arrays),
        "afresh": afresh,
        "products": products(model, shape),
    }
    if available():
        actions["torch"] = torch_step(model, shape)
    took = _alternating(actions)
    about = f"{cell} {dtype} {shape}"
    yield Row(f"record, {about}", "ms", took["record"])
    floor = (1.3 if cell == "rnn" else 1.6) if shape.H >= LARGE else None
    yield Row(f"record / products, {about}", "×", ratios(took["record"], took["products"]), floor)
    if "torch" in took:
        yield Row(
            f"record / torch, {about}", "×", ratios(took["record"], took["torch"]), _beside_torch(cell, dtype, shape)
        )
    yield Row(f"record afresh / record, {about}", "×", ratios(took["afresh"], took["record"]))
    peaks = [_peak(afresh) / prepared.nbytes() for _ in range(3)]
    yield Row(f"peak memory / arrays, {about}", "×", peaks, 1.15 if prepared.nbytes() > 1 << 20 else None)


def _beside_torch(cell: str, dtype: str, shape: Shape) -> float | None:
    if cell == "rnn":
        return 0.6
    return 0.9 if dtype == "float64" else 1.1 if shape.H >= LARGE else None


def _alternating(actions: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    def timed(action: Callable[[], object]) -> Callable[[], float]:
        action()
        repeat = max(1, round(ABOUT / milliseconds(action)))

        def once() -> float:
            time.sleep(REST)
            return milliseconds(action, repeat)

        return once

    longest = max(milliseconds(action) for action in actions.values())
    rounds = min(ROUNDS, max(5, round(AT_MOST / longest)))
    return alternate({name: timed(action) for name, action in actions.items()}, rounds, warm_up=0)


def _peak(action: Callable[[], object]) -> int:
    tracemalloc.start()
    action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
