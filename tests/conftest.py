"""Options and fixtures that every test may use."""

from __future__ import annotations

import difflib
import gc
import os
import re
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.examples import WHOLE

# Nothing is timed. How many examples: `thorough` runs as many as each test names, the default a quarter of them (tests/examples.py), `fuzz`
# a hundred times as many. (Under CI Hypothesis has a profile of its own, which also draws the same examples each time; ours keep that.)
for profile, count in (("quarter", WHOLE // 4), ("thorough", WHOLE), ("fuzz", 100 * WHOLE)):
    settings.register_profile(profile, parent=settings.default, deadline=None, max_examples=count)
settings.load_profile("quarter")

GOLDEN = Path(__file__).parent / "golden"


def pytest_configure() -> None:
    """What is started by a test can be interrupted, also where a shell started the tests in its background, which ignores Ctrl+C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()  # until all is loaded: nothing of it is garbage, and looking for some was a sixth of the time
    # A run of the doctor links what lies in the four folders above its program: let these be the tests' own, not all that is temporary.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        own = Path(tempfile.gettempdir(), f"rnn-tui-tests-{os.getuid()}", "of", "these")
        own.mkdir(parents=True, exist_ok=True)
        os.environ["TMPDIR"] = tempfile.tempdir = str(own)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: looking through all of it for garbage, over and over, was a sixth of the time that the app's tests
    took."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
    gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fail-on-skip", action="store_true", help="a skipped test counts as a failure")
    parser.addoption("--update-golden", action="store_true", help="write the texts in tests/golden anew")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """Its own folder, without pytest's link to it: these are never removed, and a run of the doctor links all that lies beside the folder
    of its program, which was a sixth of what its tests took."""
    for link in tmp_path.parent.glob("*current"):
        link.unlink()
    return tmp_path


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and item.config.getoption("--fail-on-skip") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which this run does not allow: {report.longrepr}"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)` compares with tests/golden/name.txt, or writes it with --update-golden.

    Of long numbers only the first digits count: the last ones depend on the matrix library.
    """

    def compare(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        text = blurred(text) + "\n"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        wanted = path.read_text(encoding="utf-8") if path.is_file() else ""
        if text != wanted:
            changes = difflib.unified_diff(wanted.splitlines(), text.splitlines(), "golden", "now", lineterm="")
            pytest.fail(f"{path.name} differs (--update-golden writes it anew):\n" + "\n".join(changes), pytrace=False)

    return compare


def blurred(text: str) -> str:
    """`text` with every digit after the eighth decimal of a number replaced by ~."""
    return re.sub(r"(?<=\.\d{8})\d+", lambda found: "~" * len(found[0]), text)


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment that an app's look depends on, whatever the caller's is."""
    from textual import constants

    monkeypatch.setattr(constants, "TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return monkeypatch
