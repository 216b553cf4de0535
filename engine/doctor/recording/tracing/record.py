# pyright: basic
"""Writes a record into a folder: `pool` (float64), `ops`, `events`, `wide`, `refs`, `leaves` (int32) and `record.json`."""

import json
import os

import numpy as np

VERSION = 2


STREAMS = ("ops", "events", "wide", "leaves")


def begin(folder):
    """Empties what a run before left; the streams are written in parts."""
    for name in STREAMS:
        open(os.path.join(folder, name), "wb").close()


def save(folder, store, sites, lines, outcome, names):
    """`lines` the (file, line) of every line number in the streams, `outcome` how the run ended, `names` what files are called."""
    for site in sites:
        site.file = names.get(site.file, site.file)
    store.flush()
    store.pool.flush()
    for name in STREAMS:
        store.overflow(name)
    with open(os.path.join(folder, "refs"), "wb") as file:
        for kept in store.refs:
            file.write(np.ascontiguousarray(kept).tobytes())
    content = {
        "version": VERSION,
        "numbers": store.n,
        "lines": [[names.get(file, file), number] for file, number in lines],
        "sites": [s.row() for s in sites],
        "lost": [[what, line, count] for (what, line), count in store.lost.items()],
        "names": list(store.names),
        "rounds": list(store.rounds),
        "again": list(store.again),
        "outcome": outcome,
    }
    with open(os.path.join(folder, "record.json"), "w") as file:
        file.write(json.dumps(content))  # much faster than `json.dump`, which is written in Python
