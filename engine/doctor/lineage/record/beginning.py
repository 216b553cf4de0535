"""Where a program begins to compute."""

from __future__ import annotations

from engine.doctor.lineage.record.called_names import ARGUMENT
from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.reading import Record
from engine.remembered import remembered


@remembered
def begin_of(record: Record) -> int:
    """The first number of the first product, or of the arguments with which functions are called: arrays that were made before are what
    the program begins with, however they were made, `0.5 * np.eye(n) + noise` or zeros of which some were set to 1."""
    products = record.operations.named(PRODUCTS)
    arguments = record.events.where(lambda kind: kind.name.startswith(ARGUMENT))
    called = int(record.events.times[arguments].min()) if arguments.any() else 0
    return max(int(record.starts[products[0]]) if len(products) else 0, called)
