"""The engine knows no screen."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import importlib, pkgutil, sys
import engine
names = [module.name for module in pkgutil.walk_packages(engine.__path__, "engine.")]
for name in names:
    importlib.import_module(name)
assert {"engine.recording.plan", "engine.debug.debugger", "engine.tables.cells.rnn"} <= set(names), names
loaded = {name.partition(".")[0] for name in sys.modules}
print(",".join(sorted(loaded & {"rnn_tui", "textual", "rich"})) or "none")
"""


def test_the_engine_loads_no_screen() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, "none"), result.stderr
