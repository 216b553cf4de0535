"""Which threads a recording uses: one for each matrix product, and one beside the loop over time where it has several blocks.

A loop's products are small: several threads of the matrix library wait for each other there, on a busy machine many times as long
as they compute. So the program takes one thread for products (`one_matrix_thread`, before NumPy is loaded), and what needs no
loop, products over blocks of steps and much element-wise work, runs in a thread of our own beside it. Every product stays whole:
the number of processors changes no bit, but of large networks, where both threads go through the loop, each with half of the samples.
"""

from __future__ import annotations

import os

from engine.text import whole_number

TYPE_CHECKING = False  # typing would take a tenth of the time to `--help`
if TYPE_CHECKING:
    from collections.abc import Mapping

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
