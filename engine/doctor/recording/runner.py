"""Runs a program as its user does and records it: `python -c <start> FILE OUT OPTIONS ARGS...`, see `main`."""

import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import sys
import time
import traceback
import types

import numpy as np

from . import functions, instrument, record, traced, watch
from .store import Full, Stop, Store
from .updates import UpdateWatch

SEED = 20


class LineNumbers:
    """The number of the user's line that runs now; `files` the rewritten files."""

    def __init__(self):
        self.numbers = {}
        self.rows = [("", 0)]
        self.files = set()

    def __call__(self, depth=2):
        frame = sys._getframe(depth)
        files = self.files
        while frame is not None:
            code = frame.f_code
            if code.co_filename in files:
                key = (code.co_filename, frame.f_lineno)
                number = self.numbers.get(key)
                if number is None:
                    number = self.numbers[key] = len(self.rows)
                    self.rows.append(key)
                return number
            frame = frame.f_back
        return 0


class Helpers(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Modules of the user's own, below his folders, are rewritten as they are imported."""

    def __init__(self, roots, sites, lines):
        self.roots = [os.path.realpath(r) for r in roots]
        self.sites = sites
        self.lines = lines

    def find_spec(self, name, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        origin = getattr(spec, "origin", None)
        if not origin or not origin.endswith(".py") or "site-packages" in origin:
            return None
        real = os.path.realpath(origin)
        if not any(real.startswith(r + os.sep) for r in self.roots) or real.startswith(
            os.path.realpath(sys.prefix) + os.sep
        ):
            return None
        spec.loader = self
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        file = module.__spec__.origin
        with open(file, "rb") as opened:
            text = importlib.util.decode_source(opened.read())
        run_text(text, file, module.__dict__, self.sites, self.lines)


def run_text(text, file, space, sites, lines):
    lines.files.add(file)
    tree = instrument.rewritten(text, file, sites)
    exec(compile(tree, file, "exec"), space)


def seeded():
    """Random numbers are the same in every run of a program that does not seed them itself."""
    random.seed(SEED)
    np.random.seed(SEED)
    made = np.random.default_rng
    count = [SEED]

    def default_rng(seed=None):
        if seed is None:
            count[0] += 1
            seed = count[0]
        return made(seed)

    np.random.default_rng = default_rng
    state = np.random.RandomState

    seed_function = np.random.seed

    def seed(*values):
        return seed_function(*(values if values and values[0] is not None else (SEED,)))

    np.random.seed = seed
    return state


def start(file, out, options):
    """Runs `file` and writes its record into `out`; the outcome is part of the record."""
    sites, lines = [], LineNumbers()
    with open(os.path.join(out, "pool"), "wb", 1 << 20) as pool:
        store = Store(pool, lines, options.get("numbers", 50000000))
        traced.STORE[0] = store
        functions.install()
        watched = watch.ValueWatch(store, sites, options.get("events", 2000000))
        store.updates = UpdateWatch(store, options.get("stops", True), options.get("rounds", 8))
        for name, function in (
            (instrument.EVENT, watched.event),
            (instrument.LEAF, watched.leaf),
            (instrument.AFTER, watched.after),
            (instrument.CAST, functions.cast),
        ):
            setattr(builtins, name, function)
        outcome = run(file, options, sites, lines, store)
        record.save(out, store, sites, lines.rows, outcome)


def run(file, options, sites, lines, store):
    with open(file, "rb") as opened:
        text = importlib.util.decode_source(opened.read())
    text = options.get("text", text)
    main = types.ModuleType("__main__")
    main.__file__ = file
    sys.modules["__main__"] = main
    sys.argv = [file, *list(options.get("arguments", ()))]
    folder = os.path.dirname(os.path.abspath(file))
    sys.path.insert(0, folder)
    sys.meta_path.insert(0, Helpers([folder, *list(options.get("roots", ()))], sites, lines))
    seeded()
    began = time.process_time()
    outcome = {"ended": "end"}
    try:
        run_text(text, file, main.__dict__, sites, lines)
    except Stop:
        outcome["ended"] = "update"
    except Full:
        outcome["ended"] = "full"
    except SystemExit:
        outcome["ended"] = "exit"
    except BaseException as error:
        outcome = {"ended": "error", **told(error, lines)}
    store.on = False
    outcome["seconds"] = time.process_time() - began
    return outcome


def told(error, lines):
    """An exception as text, with the user's line that it came from."""
    if isinstance(error, SyntaxError) and not error.__traceback__.tb_next.tb_next:
        return {
            "kind": type(error).__name__,
            "text": str(error)[:500],
            "file": error.filename,
            "line": error.lineno or 0,
        }
    frames = [(f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__) if f.filename in lines.files]
    file, line = frames[-1] if frames else ("", 0)
    try:
        text = str(error)[:500]
    except BaseException:
        text = ""
    return {"kind": type(error).__name__, "text": text, "file": file, "line": line}


def main(arguments):
    """FILE, the folder for the record, and the options as JSON."""
    file, out, options = arguments
    start(file, out, json.loads(options))
    sys.stdout.flush()
    os._exit(0)
