"""Attacks every reader and every language (`make fuzz`) with mutated files, drawn texts, sets of options: nothing but InputError comes out.

    python -m tests.fuzz [--scale X] [--seed N] [--seconds S]

A trial that raises anything else, or warns, is a failure: its kind, its seed and its error are printed, and the exit code is 1. Trial n of
a kind is the same on every machine; `--only KIND --first N --scale 0` repeats one.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from engine.debug.debugger import Debugger
from engine.debug.edits import parse_edit
from engine.debug.places import parse_place as parse_point
from engine.debug.whatif import what_if
from engine.errors import InputError
from engine.explain.why import parse_place, why
from engine.files.data import load
from engine.files.options import OPTIONS
from engine.files.trace import read_trace, write_trace
from engine.files.trace_model import network_of
from engine.files.weights import read_weights
from engine.lessons.lesson import lesson_folder, read_lesson
from engine.session import open_session
from rnn_tui.kept.settings import read_settings

COUNTS = {"files": 100_000, "options": 10_000, "texts": 100_000}
"""Trials of each kind at scale 1."""
PROCESSES = 2
"""They share the trials, one after the other of each kind."""
TABLE = "t1,t2,t3,label\n1,2,3,a\n4,5,6,b\n7,8,,a\n"
DATED = "date,temp,wind\n2021-03-01,1.5,2\n2021-03-02,2.5,3\n2021-03-03,1,4\n2021-03-04,0.5,5\n"
PROJECT = 'data = "data.csv"\ntitle = "x"\nbreakpoints = ["dz@2", "da if norm(da) < 1"]\n[options]\nhidden = 4\ncell = "rnn"\nlr = 0.5\n'


def corpus(folder: Path) -> dict[str, Callable[[Path], object]]:
    """Good files of every kind, by name, with what reads them."""
    rng = np.random.default_rng(0)
    (folder / "data.csv").write_text(TABLE)
    (folder / "dated.csv").write_text(DATED)
    (folder / "dated.csv.gz").write_bytes(gzip.compress(DATED.encode(), mtime=0))
    (folder / "text.txt").write_text("to be or not to be, that is the question\n")
    (folder / "project.toml").write_text(PROJECT)
    np.save(folder / "table.npy", rng.normal(size=(6, 4)))
    arrays = {"X": rng.normal(size=(4, 3, 2)), "y": np.array([0, 1, 0, 1])}
    np.savez(folder / "data.npz", **arrays, lengths=np.array([3, 2, 1, 3]), a0=rng.normal(size=(4, 8)))
    np.savez_compressed(folder / "packed.npz", **arrays)
    shapes = {"weight_ih_l0": (8, 1), "weight_hh_l0": (8, 8), "bias_ih_l0": (8,), "bias_hh_l0": (8,)}
    torch = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    torch |= {"fc.weight": rng.normal(size=(2, 8)), "fc.bias": rng.normal(size=2)}
    np.savez(folder / "weights.npz", **torch)
    from safetensors.numpy import save_file

    save_file(torch, folder / "weights.safetensors")
    write_trace(folder / "trace.npz", open_session(None, {"hidden": 2}).debugger.tape(0), meta={})
    series = {"series": True, "window": 2}
    readers: dict[str, Callable[[Path], object]] = dict.fromkeys(
        ("data.csv", "text.txt", "project.toml", "table.npy", "data.npz", "packed.npz"), load
    )
    readers |= {name: lambda path: load(path, **series) for name in ("dated.csv", "dated.csv.gz")}
    readers |= dict.fromkeys(("weights.npz", "weights.safetensors"), read_weights)
    (folder / "settings.toml").write_text('theme = "dark"\nmouse = false\n[keys]\n')
    shutil.copy(next(lesson_folder().glob("*.toml")), folder / "lesson.toml")
    readers |= {"settings.toml": read_settings, "lesson.toml": read_lesson}
    readers["trace.npz"] = lambda path: network_of(read_trace(path))
    return readers


def mutated(random: Random, content: bytes) -> bytes:
    """Content with bits flipped, pieces cut out, repeated, or replaced by what means something to somebody."""
    result = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        at = random.randrange(len(result) + 1)
        end = min(len(result), at + random.choice((1, 1, 2, 4, 16, 64)))
        match random.randrange(6):
            case 0 if at < len(result):
                result[at] ^= 1 << random.randrange(8)
            case 1:
                del result[at:end]
            case 2:
                result[at:end] = result[at:end] * random.choice((2, 3, 50))
            case 3:
                result[at:end] = random.choice(PIECES)
            case 4:
                del result[at:]
            case _:
                result[at:end] = random.randbytes(end - at)
    return bytes(result)


PIECES = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b",,,,", b"\n", b"\r", b"nan", b"1e999", b"-0", b"9" * 400, b"\x1b[2J", "٣".encode(),
    b"\xff" * 8, b"\0" * 8, b"PK\x01\x02", b"{", b"}", b"1_0", b"=", b"[", b"]]", b"(1000000000000000000000000000000,)", b"|O", b"<U9",
)  # fmt: skip


@dataclass(frozen=True)
class Ground:
    """What trials are made on."""

    folder: Path
    readers: Mapping[str, Callable[[Path], object]]
    originals: Mapping[str, bytes]
    debuggers: tuple[Debugger, ...]


def try_file(random: Random, ground: Ground) -> None:
    name = random.choice(sorted(ground.readers))
    path = ground.folder / f"mutant.{name.partition('.')[2]}"
    path.write_bytes(mutated(random, ground.originals[name]))
    ground.readers[name](path)


NUMBERS = ("0", "1", "2", "3", "7", "-1", "0.5", "1e9", "2147483647", "2147483648", "nan", "inf", "64,32")


def try_options(random: Random, ground: Ground) -> None:
    given: dict[str, Any] = {"memory-limit": OPTIONS["memory-limit"].parse("memory-limit", "1M")}
    for name in random.sample(sorted(set(OPTIONS) - {"iteration", "weights", "memory-limit"}), random.randrange(1, 7)):
        option = OPTIONS[name]
        words = NUMBERS if option.kind in (int, float) and not option.choices else ("a", "2", "temp", "temp,2", "label")
        if random.random() < 0.1:
            words = (*NUMBERS, "", "x", "9" * 400)
        given[name] = True if option.kind is bool else option.parse(name, random.choice(option.choices or words))
    data = random.choice((None, ground.folder / "dated.csv", ground.folder / "data.npz", ground.folder / "text.txt"))
    open_session(data, given).debugger.tape(0)


VOCABULARY = """
t iteration phase line da dz z a h c dWa Wa x y loss da_next da_out dh gnorm mask p logits abs all any argmax exp isfinite isnan log
max mean min norm sum sqrt and or not if hit sample log watch sign zero nan 0 1 2 3 7 99 1e30 1e999 -1 0.5 99999999999
'backward' flip relu tanh flow activation backward forward update start reach ledger
"""
WORDS = tuple(VOCABULARY.split())
SIGNS = (
    "@",
    "[",
    "]",
    "(",
    ")",
    ",",
    ":",
    " ",
    " ",
    " ",
    "<",
    ">",
    "==",
    "!=",
    "+",
    "-",
    "*",
    "/",
    "**",
    "=",
    "*=",
    ".",
    "[0,0]",
    "@3",
    "@t",
    "[:]",
    "(",
    ")",
)


def drawn(random: Random, depth: int = 4) -> str:
    """A condition of the grammar; now and then with a slip."""
    atom = random.choice(
        (
            "t",
            "iteration",
            "phase",
            "1",
            "0.5",
            "1e-3",
            "da",
            "da@t",
            "da@(t+1)",
            "z@3",
            "z@3[0,1]",
            "dWa[2,3]",
            "da[:]",
            "x",
            "y",
            "p",
        )
    )
    if depth == 0 or random.random() < 0.2:
        return atom
    left, right = drawn(random, depth - 1), drawn(random, depth - 1)
    function = random.choice(
        ("abs", "all", "any", "argmax", "exp", "isfinite", "isnan", "log", "max", "mean", "min", "norm", "sum", "sqrt")
    )
    sign = random.choice(("+", "-", "*", "/", "**", "<", "<=", ">", ">=", "==", "!=", " and ", " or "))
    return random.choice(
        (
            f"{function}({left})",
            f"({left}{sign}{right})",
            f"{left}{sign}{right}",
            f"not {left}",
            f"-{left}",
            f"{left}[0]",
        )
    )


def place(random: Random) -> str:
    """A cell or a row as it is written; whether it is there is another question."""
    name = random.choice(
        (
            "da",
            "dz",
            "z",
            "a",
            "h",
            "c",
            "dWa",
            "Wa",
            "dWhf",
            "x",
            "y",
            "p",
            "logits",
            "loss",
            "da_next",
            "da_out",
            "dh_next",
            "gnorm",
        )
    )
    step = random.choice(("", "", "@0", "@1", "@3", "@11", "@-1", "@99"))
    index = ",".join(str(random.choice((0, 1, 3, 9, -1))) for _ in range(random.randrange(4)))
    return f"{name}{step}[{index}]" if index else name + step


def try_text(random: Random, ground: Ground) -> None:
    debugger = random.choice(ground.debuggers)
    text = (
        drawn(random)
        if random.random() < 0.5
        else "".join(random.choice(WORDS if random.random() < 0.5 else SIGNS) for _ in range(random.randrange(1, 9)))
    )
    if random.random() < 0.3:
        text = place(random) + random.choice(
            ("", "", " = 0", " *= 1e200", " = flip", " = 1e30", " = nan", " if t == 2", " hit 2", " sample 1")
        )
    if random.random() < 0.02:
        text += random.choice(("9" * 5000, "\u202e", "\0", "\x1b[2J", "\n", "é" * 300))
    match random.randrange(6):
        case 0 | 1:
            for stop in debugger.add(text):
                debugger.remove(stop)
        case 2:
            debugger.watched(debugger.watch(text))
        case 3:
            parse_point(text, debugger)
        case 4:
            why(debugger, parse_place(text, debugger, 0))
        case _:
            parse_edit(text)
            what_if(debugger, text)


KINDS: dict[str, Callable[[Random, Ground], None]] = {"files": try_file, "options": try_options, "texts": try_text}


def ground_in(folder: Path) -> Ground:
    """Files and debuggers to try on."""
    readers = corpus(folder)
    options: tuple[dict[str, Any], ...] = (
        {"hidden": 4},
        {"hidden": 4, "cell": "lstm", "optimizer": "adam", "clip-norm": 1.0},
        {"hidden": 4, "cell": "gru", "truncate": 2},
        {"hidden": (3, 2)},
    )
    return Ground(
        folder,
        readers,
        {name: (folder / name).read_bytes() for name in readers},
        tuple(
            open_session(None if number else folder / "packed.npz", given).debugger
            for number, given in enumerate(options)
        ),
    )


def attempt(kind: str, seed: str, ground: Ground) -> str:
    """The error of a trial that is none for people; "" where there is none."""
    try:
        KINDS[kind](Random(seed), ground)
    except InputError as error:
        text = str(error)
        if not text or len(text) > 1500 or any(ord(c) < 32 for c in text):
            return f"a message of {len(text)} characters: {text[:100]!r}"
    except (Exception, SystemExit) as error:
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        place = f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}" if last else ""
        return f"{type(error).__name__}: {str(error)[:120]} ({place})"
    return ""


@dataclass(frozen=True)
class Share:
    """What one process tried: of each kind how many trials, in how many seconds of its processor time; numbers of failed trials by kind and
    error; files that were written."""

    tried: dict[str, tuple[int, float]]
    failed: dict[str, list[int]]
    written: list[str]


def share(wanted: argparse.Namespace, own: int) -> Share:
    """Every PROCESSES-th trial, from the own-th on."""
    warnings.simplefilter("error")
    tried, failed = dict[str, tuple[int, float]](), dict[str, list[int]]()
    kinds = [wanted.only] if wanted.only else list(KINDS)
    with tempfile.TemporaryDirectory() as name:
        ground = ground_in(Path(name))
        before = {file.name for file in Path(name).iterdir()}
        for kind in kinds:
            start, processor, count = time.perf_counter(), time.process_time(), 0
            for number in range(wanted.first, wanted.first + max(1, int(COUNTS[kind] * wanted.scale)))[own::PROCESSES]:
                if time.perf_counter() - start > wanted.seconds / len(kinds):
                    break
                count += 1
                if error := attempt(kind, f"{wanted.seed} {kind} {number}", ground):
                    failed.setdefault(f"{kind}: {error}", []).append(number)
            tried[kind] = count, time.process_time() - processor
        after = sorted({file.name for file in Path(name).iterdir()} - before)
    return Share(tried, failed, [file for file in after if not file.startswith("mutant.")])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the trials (1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=900, help="at most so long altogether (900)")
    parser.add_argument("--only", choices=tuple(KINDS))
    parser.add_argument("--first", type=int, default=0, help="the number of the first trial")
    wanted = parser.parse_args()
    start, failed = time.perf_counter(), dict[str, list[int]]()
    with ProcessPoolExecutor(PROCESSES) as pool:
        shares = list(pool.map(partial(share, wanted), range(PROCESSES)))
    for kind in shares[0].tried:
        counts, seconds = zip(*(one.tried[kind] for one in shares), strict=True)
        print(f"{kind:<8} {sum(counts):>7} tried, {sum(seconds):.0f} s of processor time")
    for one in shares:
        for error, numbers in one.failed.items():
            failed[error] = sorted(failed.get(error, []) + numbers)
    for error, numbers in sorted(failed.items(), key=lambda item: -len(item[1])):
        print(f"{len(numbers):>5} × {error}; trial {numbers[0]}")
    figures = {
        "failures": sum(map(len, failed.values())),
        "files written": sorted({file for one in shares for file in one.written}),
        "seconds": round(time.perf_counter() - start),
    }
    print(json.dumps(figures))
    return 1 if figures["failures"] or figures["files written"] else 0


if __name__ == "__main__":
    sys.exit(main())
