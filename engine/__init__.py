"""The mathematics of rnn-tui, free of any screen: `Network`, `record`, `Debugger`.

The names are loaded when first used, so that looking at files and options does not wait for NumPy.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing would take a tenth of the time to `--help`
if TYPE_CHECKING:
    from engine.debug.breakpoints import Breakpoint
    from engine.debug.debugger import Debugger
    from engine.debug.view import View
    from engine.errors import InputError
    from engine.model.blocks import Line, Point
    from engine.model.network import Network
    from engine.model.program import Program
    from engine.recording.record import record
    from engine.recording.tape import Tape

__all__ = ["Breakpoint", "Debugger", "InputError", "Line", "Network", "Point", "Program", "Tape", "View", "record"]

_HOMES = {
    "debug.breakpoints": ("Breakpoint",),
    "debug.debugger": ("Debugger",),
    "debug.view": ("View",),
    "errors": ("InputError",),
    "model.network": ("Network",),
    "model.program": ("Line", "Point", "Program"),
    "recording.record": ("record",),
    "recording.tape": ("Tape",),
}


def __getattr__(name: str) -> object:
    for module, exported in _HOMES.items():
        if name in exported:
            return getattr(import_module(f"engine.{module}"), name)
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
