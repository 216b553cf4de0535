# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportOptionalMemberAccess=false
"""Runs the program of a job (see `start`) as its user does, and records it."""

import builtins
import importlib.machinery
import importlib.util
import os
import random
import runpy
import sys
import time
import types

import numpy as np

from .. import plain, progress
from ..division import floored
from ..turns import Turns
from . import instrument, patches, record, traced, watch
from .shifted import SHIFTED, shifted
from .store import EVENTS, Full, Stop, Store
from .updates import ROUNDS, UpdateWatch

SEED = 20
BYTES = 32
"""What a number may cost of the memory that the run is allowed, when it is judged."""
UPDATED = "its first updates were complete"
MOST_IDS = (1 << 31) - 1


_ELSEWHERE = {}
"""What is kept of a code object that is not in a rewritten file."""


class LineNumbers:
    """The number of the user's line that runs now; `files` the rewritten files."""

    def __init__(self):
        self.numbers = {}
        self.rows = [("", 0)]
        self.files = set()
        self.places = {}  # by a code object's id: its lines' numbers by instruction, since to find a line takes longer
        self.seen = []  # keeps the code objects, so that no id comes twice

    def __call__(self, depth=2):
        frame = sys._getframe(depth)
        number = self.places.get(id(frame.f_code), _ELSEWHERE).get(frame.f_lasti)
        if number is not None:  # as nearly always
            return number
        while frame is not None:
            place = self.places.get(id(frame.f_code))
            if place is None:
                place = self.place(frame.f_code)
            if place is not _ELSEWHERE:
                number = place.get(frame.f_lasti)
                return self.number(frame, place) if number is None else number
            frame = frame.f_back
        return 0

    def frames(self):
        """The user's frames that run now, each with the number of its line, the outermost first."""
        frame, found = sys._getframe(1), []
        while frame is not None:
            place = self.places.get(id(frame.f_code))
            if place is None:
                place = self.place(frame.f_code)
            if place is not _ELSEWHERE:
                found.append((frame, place.get(frame.f_lasti) or self.number(frame, place)))
            frame = frame.f_back
        return found[::-1]

    def place(self, code):
        """Where the numbers of a code object's lines are kept."""
        self.seen.append(code)
        found = self.places[id(code)] = {} if code.co_filename in self.files else _ELSEWHERE
        return found

    def number(self, frame, place):
        """The number of the line that a frame is at."""
        key = (frame.f_code.co_filename, frame.f_lineno)
        number = self.numbers.get(key)
        if number is None:
            number = self.numbers[key] = len(self.rows)
            self.rows.append(key)
        place[frame.f_lasti] = number
        return number

    def through(self, file):
        """The lines of a file through which the exception came that is handled now, the outermost first."""
        trace, found = sys.exc_info()[2], []
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == file:
                found.append(trace.tb_lineno)
            trace = trace.tb_next
        return found

    def last(self, file):
        """The last of these lines, None where the exception came from elsewhere."""
        return next(reversed(self.through(file)), None)


class Helpers:
    """Modules of the user's own are rewritten as they are imported: what lies below his folders, also through a link, and is not
    installed. `texts` of the job stand in the place of theirs."""

    def __init__(self, job, sites, lines, importing):
        self.job = job
        self.importing = importing
        self.roots = [os.path.realpath(r) for r in job["user"]]
        self.sites = sites
        self.lines = lines

    def find_spec(self, name, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        origin = getattr(spec, "origin", None)
        if not origin or not origin.endswith(".py") or not self.owns(origin):
            return None
        spec.loader = self
        return spec

    def create_module(self, spec):
        return None

    def has(self, name):
        """Whether a loaded module, or the package that it belongs to, is one of the user's own."""
        specs = [getattr(sys.modules.get(n), "__spec__", None) for n in (name, name.split(".")[0])]
        return any(getattr(spec, "loader", None) is self for spec in specs)

    def exec_module(self, module):
        self.importing(True)
        try:
            exec(self.code_of(module.__spec__.origin), module.__dict__)
        finally:
            self.importing(False)

    def get_code(self, name):
        """What `runpy` runs: a module of the user's own may be the program, as `python -m` starts it."""
        return self.code_of(importlib.util.find_spec(name).origin)

    def owns(self, path):
        """Whether a file is one of the user's own."""
        real = os.path.realpath(path)
        if "site-packages" in real or real.startswith(os.path.realpath(sys.prefix) + os.sep):
            return False
        return any(place.startswith(r + os.sep) for place in (os.path.abspath(path), real) for r in self.roots)

    def compiled(self, text, file, mode):
        """What `runpy` makes of the file that `run_path` names."""
        return self.code_of(os.path.abspath(file)) if self.owns(file) else compile(text, file, mode)

    def code_of(self, file):
        text = self.job.get("texts", {}).get(shown_name(self.job, file))
        if text is None:
            with open(file, "rb") as opened:
                text = importlib.util.decode_source(opened.read())
        return compile(tree_of(text, file, self.sites, self.lines, self.job), file, "exec")


def tree_of(text, file, sites, lines, job):
    lines.files.add(file)
    tree = instrument.rewritten(text, file, sites)
    return floored(tree) if job["python_2"] else tree


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

    def seed(seed=None):
        return seed_function(SEED if seed is None else seed)

    np.random.seed = seed
    return state


def run(job):
    """Runs the program of a job and writes its record into the job's folder; what `start` is told of how it ended."""
    options = job["options"]
    sites, lines = [], LineNumbers()
    record.begin(job["record"])
    with open(os.path.join(job["record"], "pool"), "wb", 1 << 20) as pool:
        store = Store(pool, lines, options.get("numbers", min(job["memory"] // BYTES, MOST_IDS)))
        store.events_left = options.get("events", EVENTS)
        store.make_events_room()
        traced.STORE[0] = store
        patches.install()
        watched = watch.ValueWatch(store, sites, options.get("shifts", ()), job["alone"])
        leave_out(job)
        store.updates = UpdateWatch(store, options.get("stops", True), options.get("rounds", ROUNDS))
        for name, function in (
            (instrument.EVENT, watched.event),
            (instrument.LEAF, watched.leaf),
            (instrument.AFTER, watched.after),
            (instrument.FILLED, watched.whole),
            (instrument.CAST, patches.cast),
            (instrument.LISTED, patches.listed),
            (instrument.SHAPED, patches.shaped),
            (instrument.DOTTED, patches.dotted),
            (instrument.BY_TYPE, patches.by_type),
            (instrument.SUMMED, patches.summed),
            (instrument.BEGINS, watched.unfollowed.begins),
            (instrument.ENDS, watched.unfollowed.ends),
        ):
            setattr(builtins, name, function)
        told, outcome = followed(job, sites, lines, store)
        outcome["half"] = store.half
        progress.over()
        record.save(job["record"], store, sites, lines.rows, outcome, {f: shown_name(job, f) for f in lines.files})
    return told


def followed(job, sites, lines, store):
    """Runs the program: how it ended, for `start`, and for the record."""
    main = plain.main_module(job)
    updates = getattr(store, "updates", None)
    importing = updates.importing if updates is not None else bool
    helpers, before = Helpers(job, sites, lines, importing), set(sys.modules)
    sys.meta_path.insert(0, helpers)
    runpy.compile = helpers.compiled
    seeded()
    setattr(builtins, SHIFTED, shifted)
    Turns((Stop, Full)).begin()
    began = time.process_time()
    told, outcome = {"left": []}, {"ended": "end"}
    try:
        plain.execute(tree_of(job["text"], job["file"], sites, lines, job), job, main.__dict__, told["left"])
    except Stop:
        told.update(stopped=UPDATED, line=lines.last(job["file"]))
        outcome.update(ended="update", through=lines.through(job["file"]))
    except Full as full:
        told.update(stopped=full.why, line=lines.last(job["file"]))
        outcome["ended"] = full.ended
    except (
        BaseException
    ) as error:  # whatever ended the program, also a limit of time: what was recorded until then counts
        told["error"], outcome["ended"] = error, "exit" if isinstance(error, SystemExit) else "error"
    store.on = False
    if updates is not None and store.rounds:
        outcome["begin"] = updates.begin
    elif updates is not None:
        store.rounds = updates.others  # a program that does nothing but import
    outcome["classes"] = getattr(store, "classes", {})
    outcome["seconds"] = time.process_time() - began
    stacks = getattr(store, "stacks", None)
    outcome["filling"] = 0 if stacks is None else stacks.filling()
    outcome["modules"] = [name for name in sys.modules if name not in before and not helpers.has(name)]
    return told, outcome


def unrecorded(job, rewritten):
    """Runs the program as `rewritten(text, name, sites)` makes it of each file's text, with nothing recorded."""
    instrument.rewritten = rewritten
    told, _ = followed(job, [], LineNumbers(), types.SimpleNamespace(on=False))
    progress.over()
    return told


def leave_out(job):
    """The statements that a job names are rewritten so that they are run without being recorded."""
    folder = os.path.dirname(job["file"])
    for name, line in job["unfollowed"]:
        instrument.UNFOLLOWED.setdefault(os.path.normpath(os.path.join(folder, name)), set()).add(line)


def shown_name(job, file):
    """What a file of the user's is called: by its path from the program's folder."""
    file = os.path.abspath(file)
    if any(file.startswith(user + os.sep) for user in job["user"]):
        return os.path.relpath(file, os.path.dirname(job["file"]))
    return os.path.basename(file)
