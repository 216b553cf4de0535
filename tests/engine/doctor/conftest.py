"""What runs in processes of its own are copies of one warm process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.doctor.run import launch, process
from tests.engine.doctor.warm_runs import WarmRuns
from tests.engine.doctor.warm_worker import WarmWorker

STARTED_ANEW = ("test_hostile", "test_endings", "test_run", "test_surroundings")
"""Modules whose programs attack or count processes, or look at how they are started: they run as at a user's."""


@pytest.fixture(scope="session")
def all_warm_runs() -> Iterator[WarmRuns]:
    runs = WarmRuns()
    yield runs
    runs.close()


@pytest.fixture(autouse=True)
def warm_runs(request: pytest.FixtureRequest, all_warm_runs: WarmRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process for the runs of all tests."""
    if request.module.__name__.rpartition(".")[2] not in STARTED_ANEW:
        monkeypatch.setattr(launch, "_started", all_warm_runs.started)


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
