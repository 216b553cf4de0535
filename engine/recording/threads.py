"""Which threads a recording uses: one for each matrix product, and one beside the loop over time where it has several blocks.

A loop's products are small: several threads of the matrix library wait for each other there, on a busy machine many times as long
as they compute. So the program takes one thread for products (`one_matrix_thread`, before NumPy is loaded), and what needs no
loop, products over blocks of steps and much element-wise work, runs in a thread of our own beside it. Every product stays whole:
the number of processors changes no bit.
"""

from __future__ import annotations

import os

from engine.text import whole_number

TYPE_CHECKING = False  # typing would take a tenth of the time to `--help`
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.language.functions import Array
    from engine.recording.compiled import CompiledBlock

SETTINGS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS")
"""The variables that matrix libraries read when they are loaded."""


def one_matrix_thread() -> None:
    """Has the matrix library use one thread, unless the environment says how many; only before NumPy is loaded."""
    if not asked():
        os.environ.update(dict.fromkeys(SETTINGS, "1"))


def asked() -> Mapping[str, int]:
    """How many threads the environment asks for, by variable."""
    numbers = {name: whole_number(os.environ.get(name, ""), 0, 10**6) for name in SETTINGS}
    return {name: number for name, number in numbers.items() if number is not None}


def processors() -> int:
    """The processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def beside() -> bool:
    """Whether a second thread helps: where there is a second processor, and the matrix library leaves it free."""
    return processors() > 1 and set(asked().values()) == {1}


def through(
    stages: CompiledBlock, values: dict[str, Array], spans: Sequence[tuple[int, int]], done: Callable[[], None]
) -> None:
    """Runs a block on all spans, in their order; `done` is told after each, and an exception from it ends the run.

    With a thread beside, the next span's `before` and the last one's `after` run there while this one's loop runs here. No stage reads
    what another one writes at the same time: `before` reads nothing of the loop, and rows of one span are written by that span alone. When
    the loop is done, what is left of `after` runs here and there: each part of it goes through the spans in their order, so that every sum
    has the same bits.
    """
    if len(spans) > 1 and beside():
        _through_beside(stages, values, spans, done)
        return
    for span in spans:
        stages.run(values, *span)
        done()


def _through_beside(
    stages: CompiledBlock, values: dict[str, Array], spans: Sequence[tuple[int, int]], done: Callable[[], None]
) -> None:
    from concurrent.futures import Future, ThreadPoolExecutor
    from itertools import takewhile

    import numpy as np  # `one_matrix_thread` comes before it

    helper = ThreadPoolExecutor(1, "recording", np.seterr, ("ignore",))
    try:
        after: list[list[Future[None]]] = [[] for _ in stages.after]
        prepared = helper.submit(stages.before, values, *spans[0])
        for number, span in enumerate(spans, 1):
            if prepared.cancel():  # not begun: faster here than waited for
                stages.before(values, *span)
            else:
                prepared.result()
            if number < len(spans):
                prepared = helper.submit(stages.before, values, *spans[number])
            stages.inside(values, *span)
            for part, begun in zip(stages.after, after, strict=True):
                begun.append(helper.submit(part, values, *span))
            done()
        for part, begun in zip(reversed(stages.after), reversed(after), strict=True):
            here = len(
                list(takewhile(lambda result: result.cancel(), reversed(begun)))
            )  # the later spans, in which it has not begun
            for result in begun[: len(begun) - here]:
                result.result()
            for span in spans[len(spans) - here :]:
                part(values, *span)
    finally:
        helper.shutdown(cancel_futures=True)
