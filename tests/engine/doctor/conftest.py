"""Workers of one module's tests are copies of one warm process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.doctor.run import process
from tests.engine.doctor.warm_worker import WarmWorker

STARTED_ANEW = ("test_hostile", "test_endings")
"""Modules whose programs attack or count processes: they run as at a user's."""


@pytest.fixture(scope="module", autouse=True)
def warm_worker(request: pytest.FixtureRequest) -> Iterator[None]:
    """One process for all workers of a module."""
    if request.module.__name__.rpartition(".")[2] in STARTED_ANEW:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        starter: list[WarmWorker] = []

        def started(*given):
            if not starter:
                starter.append(WarmWorker())
            return starter[0].started(*given)

        patch.setattr(process, "_started", started)
        yield
        for one in starter:
            one.close()
