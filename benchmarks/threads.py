"""The program's threads against those of the matrix library: elapsed time, each in a process of its own, for libraries read their settings
when they are loaded."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import engine.recording.threads
from benchmarks.measure import Row, alternate, elapsed, ratios
from benchmarks.models import Shape, network, samples
from benchmarks.process import ROOT
from benchmarks.products import products
from engine.recording.plan import plan
from engine.recording.record import record_with
from engine.recording.threads import SETTINGS

SHAPES = {
    "rnn": ((64, 200, 64, 128), (64, 60, 128, 512)),
    "lstm": ((64, 100, 64, 128), (64, 30, 128, 512)),
    "gru": ((64, 100, 64, 128),),
}
ROUNDS = 3
REPEAT = 7


def measure() -> Iterator[Row]:
    """For each cell and shape in float32: recording as the program does it, against one matrix thread and nothing beside, against the
    library's own threads, and against the bare products with these."""
    for cell, shapes in SHAPES.items():
        for shape in shapes:
            kinds = ("record program", "record one", "record all", "products all")
            took = alternate({kind: partial(_child, kind, cell, shape) for kind in kinds}, ROUNDS, warm_up=0)
            about = f"{cell} float32 B={shape[0]} T={shape[1]} D={shape[2]} H={shape[3]}"
            yield Row(f"record, program's threads / one, {about}", "×", ratios(took[kinds[0]], took[kinds[1]]), 1)
            yield Row(f"record, library's threads / one, {about}", "×", ratios(took[kinds[2]], took[kinds[1]]))
            bound = 1.3 if cell == "rnn" else 1.6
            yield Row(
                f"record, program's threads / products, library's, {about}",
                "×",
                ratios(took[kinds[0]], took[kinds[3]]),
                bound,
            )


def _child(kind: str, cell: str, shape: tuple[int, ...]) -> float:
    """Milliseconds of one recording, or of its products, in a process of its own; the median of some."""
    what, threads = kind.split()
    environ = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    if threads != "all":
        environ |= dict.fromkeys(SETTINGS, "1")
    code = f"from benchmarks import threads; threads.child({what!r}, {threads!r}, {cell!r}, {shape!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, check=True)
    return float(done.stdout)


def child(what: str, threads: str, cell: str, shape: tuple[int, ...]) -> None:
    """Prints what `_child` returns."""
    sizes = Shape(*shape[:-1], every=bool(shape[-1]))
    model = network(sizes, cell, "float32")
    X, y = samples(sizes)
    prepared = plan(model, sizes.B, sizes.T)
    arrays = dict(record_with(prepared, X, y).arrays)
    if threads == "one":
        engine.recording.threads.beside = lambda: False
    action = products(model, sizes) if what == "products" else partial(record_with, prepared, X, y, into=arrays)
    print(statistics.median(elapsed(action) for _ in range(REPEAT)))
