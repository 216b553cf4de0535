"""Going to any point of a recorded iteration and seeing what is there."""

from __future__ import annotations

import random
from collections.abc import Iterator

from benchmarks.measure import Row, milliseconds
from benchmarks.models import MIDDLE, Shape, network, samples
from engine.debug.debugger import Debugger

SHAPES = (Shape(10, 10, 1, 8), MIDDLE, Shape(64, 200, 32, 128))
SEEKS = 1000
BOUND = 1.0


def measure() -> Iterator[Row]:
    """Random points, forward, loss, backward and update alike."""
    debuggers = {shape: Debugger(network(shape), *samples(shape)) for shape in SHAPES}
    values: dict[Shape, list[float]] = {shape: [] for shape in SHAPES}
    draw = random.Random(0)
    for debugger in debuggers.values():
        debugger.go(debugger.program.length)
        assert debugger.view.point.phase == "update"
    for _ in range(SEEKS):
        for shape, debugger in debuggers.items():
            position = draw.randint(0, debugger.program.length)

            def seek(debugger: Debugger = debugger, position: int = position) -> None:
                debugger.go(position)
                assert debugger.view.position == position

            values[shape].append(milliseconds(seek))
    for shape in SHAPES:
        yield Row(f"seek, {shape}", "ms", values[shape], BOUND)
