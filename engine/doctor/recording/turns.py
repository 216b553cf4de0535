# pyright: basic, reportAttributeAccessIssue=false, reportArgumentType=false
"""Threads take turns: one runs until it waits or ends, then another. What they compute is recorded one after the other, and the same in
every run.

Whoever waits, for a lock or what is made of locks (events, queues, pools), for a thread's end or for a time, gives its turn away; from
whoever waits for something else, as a reply of another process, it is taken: from a thread that is asleep at two looks and was not woken
in between, as the system tells. A thread that computes is not, however slow the machine; where the system does not tell, it keeps its
turn. What ends the recording in another thread than the main one ends the main one, as soon as that waits.
"""

import functools
import sys
import threading
import time
from _thread import allocate_lock, get_ident, get_native_id

SLICE = 0.05
"""Seconds from one look of the main thread, while it waits, at whether the recording has ended."""
IDLE = 1.0
"""Seconds between two looks at whether whoever has the turn waits for something that is not seen."""
_open = open  # before anything is patched


def slept(thread):
    """How often a thread that is asleep now was switched before; None where it is not asleep, or the system does not tell."""
    try:
        with _open(f"/proc/self/task/{thread}/status") as file:
            told = {name: rest for name, _, rest in [line.partition(":") for line in file]}
    except OSError:
        return None
    counts = [int(told.get(name, 0)) for name in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")]
    return counts if told.get("State", "").strip().startswith("S") else None


class Turns:
    """`ends` are the exceptions that end the recording; `ended` is that of them which did."""

    def __init__(self, ends):
        self.ends, self.ended = ends, None
        self.main = self.whose = get_ident()
        self.native = get_native_id()
        self.turn, self.changing = allocate_lock(), allocate_lock()
        self.turn.acquire()
        self.excepthook = threading.excepthook

    def begin(self):
        """From here on threads that the program starts take turns."""
        turns = self

        class Lock(TurnedLock):
            def __init__(self):
                TurnedLock.__init__(self, turns)

        bootstrap = threading.Thread._bootstrap_inner

        def in_its_turn(thread):
            self.take()
            try:
                bootstrap(thread)
            finally:
                self.leave()

        threading.Thread._bootstrap_inner = in_its_turn
        threading.Thread.join = self.away(threading.Thread.join)
        threading.Lock = threading._allocate_lock = Lock
        threading._CRLock = None  # the one in Python is made of those locks
        threading.excepthook = self.has_ended
        sys.modules.setdefault("_queue", None)  # the queues in Python are made of them, too
        time.sleep = self.away(time.sleep)

    def take(self):
        """Waits for its turn."""
        if self.whose == get_ident():
            return
        holder, before = self.native, None
        while not self.turn.acquire(True, IDLE):
            with self.changing:
                now = slept(self.native)
                if now is not None and (self.native, now) == (holder, before):
                    self.has()  # the lock stays closed: it is this thread's now
                    return
                holder, before = self.native, now
        self.has()

    def has(self):
        """It is this thread's turn."""
        self.whose, self.native = get_ident(), get_native_id()

    def leave(self):
        """Gives it away, where it has it."""
        with self.changing:
            if self.whose == get_ident():
                self.whose = 0
                self.turn.release()

    def away(self, wait):
        """A function that waits, in which others have their turn."""

        @functools.wraps(wait)
        def waits(*given, **named):
            self.leave()
            try:
                return wait(*given, **named)
            finally:
                self.take()
                self.tell()

        return waits

    def tell(self):
        """Ends the main thread where another one has ended the recording."""
        if self.ended is not None and get_ident() == self.main:
            raise self.ended

    def has_ended(self, told):
        """An exception has ended a thread."""
        if isinstance(told.exc_value, self.ends):
            self.ended = told.exc_value
        else:
            self.excepthook(told)


class TurnedLock:
    """A lock; while a thread waits for it, others have their turn."""

    def __init__(self, turns):
        self.turns, self.lock = turns, allocate_lock()
        self.release, self.locked = self.lock.release, self.lock.locked
        self.waits = turns.away(self.wait)

    def acquire(self, blocking=True, timeout=-1):
        if self.lock.acquire(False):
            return True
        return self.waits(timeout) if blocking else False

    def wait(self, timeout):
        if timeout != -1 or get_ident() != self.turns.main:
            return self.lock.acquire(True, timeout)
        while not self.lock.acquire(True, SLICE):
            if self.turns.ended is not None:
                return False  # whoever waits is told once it has its turn
        return True

    __enter__ = acquire

    def __exit__(self, *details):
        self.release()

    def __getattr__(self, name):
        return getattr(self.lock, name)
