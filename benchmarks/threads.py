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
from benchmarks.torch_peer import available, torch_step
from engine.recording.plan import plan
from engine.recording.record import record_with
from engine.recording.threads import SETTINGS

SHAPES = {
    ("rnn", "float32"): (Shape(64, 200, 64, 128, every=True), Shape(64, 60, 128, 512, every=True)),
    ("rnn", "float64"): (Shape(64, 200, 64, 128, every=True),),
    ("lstm", "float32"): (Shape(64, 100, 64, 128, every=True), Shape(64, 30, 128, 512, every=True)),
    ("lstm", "float64"): (Shape(64, 100, 64, 128, every=True),),
    ("gru", "float32"): (Shape(64, 100, 64, 128, every=True),),
    ("gru", "float64"): (Shape(64, 100, 64, 128, every=True),),
}
"""With a loss at every step: with one at the end gradients vanish into subnormal numbers, with which some processors are slow."""
ROUNDS = 3
REPEAT = 7


def measure() -> Iterator[Row]:
    """For each cell, precision and shape: recording as the program does it, against one matrix thread and nothing beside, against the
    library's own threads, and against the bare products and PyTorch with these."""
    for (cell, dtype), shapes in SHAPES.items():
        for shape in shapes:
            kinds = ["record program", "record one", "record all", "products all", *["torch all"] * available()]
            took = alternate({kind: partial(_child, kind, cell, dtype, shape) for kind in kinds}, ROUNDS, warm_up=0)
            about = f"{cell} {dtype} {shape}"
            yield Row(f"record, program's threads, {about}", "ms", took[kinds[0]])
            yield Row(f"record, program's threads / one, {about}", "×", ratios(took[kinds[0]], took[kinds[1]]), 1)
            yield Row(f"record, library's threads / one, {about}", "×", ratios(took[kinds[2]], took[kinds[1]]))
            bounds = {"products all": 1.3 if cell == "rnn" else 1.6, "torch all": 1.0 if dtype == "float64" else 1.1}
            for peer in kinds[3:]:
                ratio = ratios(took[kinds[0]], took[peer])
                name = f"record, program's threads / {peer.split()[0]}, library's, {about}"
                yield Row(name, "×", ratio, bounds[peer])


def _child(kind: str, cell: str, dtype: str, shape: Shape) -> float:
    """Milliseconds of one recording, or of a peer, in a process of its own; the median of some."""
    what, threads = kind.split()
    environ = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    if threads != "all":
        environ |= dict.fromkeys(SETTINGS, "1")
    code = f"from benchmarks.threads import Shape, child; child({what!r}, {threads!r}, {cell!r}, {dtype!r}, {shape!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, check=True)
    return float(done.stdout)


def child(what: str, threads: str, cell: str, dtype: str, shape: Shape) -> None:
    """Prints what `_child` returns."""
    model = network(shape, cell, dtype)
    X, y = samples(shape)
    prepared = plan(model, shape.B, shape.T)
    arrays = dict(record_with(prepared, X, y).arrays)
    if threads == "one":
        engine.recording.threads.beside = lambda: False
    peers = {"products": products, "torch": torch_step}
    action = peers[what](model, shape) if what in peers else partial(record_with, prepared, X, y, into=arrays)
    action()
    print(statistics.median(elapsed(action) for _ in range(REPEAT)))
