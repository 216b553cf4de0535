"""What runs in processes of its own are copies of one warm process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.doctor.run import launch
from tests.engine.doctor.warm_runs import WarmRuns

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
