"""Lets random hands loose on the app (`make soak`), and says how it went; a sequence that fails is shrunk to the few actions that it takes.

python -m tests.soak [--actions N] [--run N] [--seed N] [--seconds S] [--only GROUND]
python -m tests.soak --replay GROUND 'key n; click 0.5 0.5; …'
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import json
import os
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from tests.soak.actions import drawn
from tests.soak.grounds import GROUNDS
from tests.soak.play import Played, played, shrunk

PROCESSES = 2
SLOW = 0.2
"""Seconds of processor time for one frame."""


@dataclass(frozen=True)
class Run:
    """One app's fate: its process, actions done, the longest frame in seconds of processor time, how many of all were slow, MB before and
    after, the failure, and the few actions that it takes."""

    ground: str
    done: int
    longest: tuple[float, str]
    slow: int
    frames: int
    megabytes: tuple[float, float]
    error: str = ""
    trace: str = ""
    actions: tuple[str, ...] = ()
    process: int = field(default_factory=os.getpid)


def actions_of(seed: str, count: int) -> list[str]:
    """The actions of a seed, the same everywhere."""
    random = Random(seed)
    return [drawn(random) for _ in range(count)]


def run(ground: str, seed: str, count: int) -> Run:
    """One app through so many actions."""
    before, actions = _resident(), actions_of(seed, count)
    gc.freeze()  # as the program does it at its first frame
    result = asyncio.run(played(ground, actions))
    slow = sum(seconds > SLOW for seconds, _ in result.frames)
    figures = Run(
        ground, result.done, max(result.frames, default=(0.0, "")), slow, len(result.frames), (before, _resident())
    )
    return figures if not result.error else _with_failure(figures, result, actions[: result.done + 1])


def _with_failure(figures: Run, result: Played, actions: list[str]) -> Run:
    few = shrunk(actions, lambda some: asyncio.run(played(figures.ground, some)).error == result.error)
    return replace(figures, error=result.error, trace=result.trace, actions=tuple(few))


def _resident() -> float:
    """The memory that this process holds, in MB, without what the C library keeps for itself; 0 where the system does not say."""
    gc.unfreeze()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # a C library that has no such function
        ctypes.CDLL(None).malloc_trim(0)
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0


def _told(done: Run) -> None:
    print(
        f"{done.ground:<16} {done.done:>6} actions, {done.megabytes[0]:.0f} → {done.megabytes[1]:.0f} MB, "
        f"longest {done.longest[0] * 1e3:.0f} ms: {done.longest[1]}",
        flush=True,
    )
    if done.error:
        print(
            f"{done.trace}\n{done.error}\npython -m tests.soak --replay {done.ground} {'; '.join(done.actions)!r}",
            flush=True,
        )


def soak(wanted: argparse.Namespace) -> int:
    """All runs, two at a time, on one ground after the other, round by round; 1 where one failed."""
    grounds = [wanted.only] if wanted.only else list(GROUNDS)
    start, runs, pending = time.monotonic(), list[Run](), list[Future[Run]]()
    with ProcessPoolExecutor(PROCESSES) as pool:
        for number in range(-(-wanted.actions // wanted.run)):
            ground = grounds[number % len(grounds)]
            pending.append(pool.submit(run, ground, f"{wanted.seed} {number}", wanted.run))
        for future in pending:
            if time.monotonic() - start > wanted.seconds:
                future.cancel()
            if not future.cancelled():
                runs.append(future.result())
                _told(runs[-1])
    longest = max(one.longest for one in runs)
    began, round_over, ended = (
        {one.process: one.megabytes[after] for one in some}
        for some, after in ((runs[::-1], 0), (runs[: len(grounds)], 1), (runs, 1))
    )
    figures = {
        "actions": sum(one.done for one in runs),
        "failures": sum(bool(one.error) for one in runs),
        "frames": sum(one.frames for one in runs),
        "longest frame": f"{longest[0] * 1e3:.0f} ms: {longest[1]}",
        f"frames over {SLOW * 1e3:.0f} ms": sum(one.slow for one in runs),
        "MB of the processes at first, after a round over all grounds, at the end": [
            list(map(round, held.values())) for held in (began, round_over, ended)
        ],
        "MB more than after that round": round(max(ended[process] - held for process, held in round_over.items())),
        "seconds": round(time.monotonic() - start),
    }
    print(json.dumps(figures))
    return 1 if figures["failures"] else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--actions", type=int, default=100_000)
    parser.add_argument("--run", type=int, default=1000, help="actions in one app (1000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1700, help="no further app is begun after so long (1700)")
    parser.add_argument("--only", choices=tuple(GROUNDS))
    parser.add_argument("--replay", nargs=2, metavar=("GROUND", "ACTIONS"))
    wanted = parser.parse_args()
    if wanted.replay:
        result = asyncio.run(played(wanted.replay[0], wanted.replay[1].split("; ")))
        print(result.trace or f"{result.done} actions, no failure")
        return 1 if result.error else 0
    return soak(wanted)


if __name__ == "__main__":
    sys.exit(main())
