"""The place of a wrong value: its line in the user's file, and the quantity of the reference that it should be."""

from __future__ import annotations

from engine.doctor.judge.expecting import expected
from engine.doctor.judge.timeline import ComparedValue, Timeline
from engine.doctor.recognise.loaded_program import LoadedProgram
from engine.doctor.reference.results import Place


def place_of(loaded: LoadedProgram, line_up: Timeline, seen: ComparedValue) -> Place:
    """A wrong value's line, and what it should have been."""
    quantity, t = expected(line_up, seen)
    site = seen.event.site
    return Place(site.line, loaded.source.line(site.line), quantity, t, seen.event.sample)
