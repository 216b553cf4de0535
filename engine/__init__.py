"""The mathematics of rnn-tui, free of any screen: `Network`, `record`, `Debugger`."""

from engine.debugger import Breakpoint, Debugger, View
from engine.errors import InputError
from engine.network import Network
from engine.program import Line, Point, Program
from engine.tape import Tape, record

__all__ = ["Breakpoint", "Debugger", "InputError", "Line", "Network", "Point", "Program", "Tape", "View", "record"]
