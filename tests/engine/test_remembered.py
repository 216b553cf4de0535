"""What is kept with what it was made from: made once, and gone with it."""

from __future__ import annotations

import gc
from weakref import ref

from engine.explain.line_outline import outline
from engine.explain.line_parts import writer_for
from engine.remembered import last_remembered, remembered
from engine.session import open_session


class Source:
    """Something that results are made from."""


def test_a_result_is_made_once_for_its_arguments_and_goes_with_the_first() -> None:
    made: list[int] = []

    @remembered
    def list_of(source: Source, number: int) -> list[int]:
        made.append(number)
        return [number]

    one, other = Source(), Source()
    assert list_of(one, 1) is list_of(one, 1)
    assert list_of(one, 1) is not list_of(other, 1)
    assert list_of(one, 2) == [2]
    assert made == [1, 1, 2]
    gone = ref(one)
    del one
    gc.collect()
    assert gone() is None


def test_of_large_results_those_that_were_asked_for_last_are_kept() -> None:
    made: list[int] = []

    @last_remembered(2)
    def list_of(source: Source, number: int) -> list[int]:
        del source
        made.append(number)
        return [number]

    one = Source()
    for number in (1, 2, 1, 3, 1, 2):
        assert list_of(one, number) == [number]
    assert made == [1, 2, 3, 2]


def test_what_depends_on_the_program_and_the_notation_alone_is_made_once() -> None:
    debugger = open_session(None, {"cell": "lstm", "optimizer": "adam"}).debugger
    program, writer = debugger.program, writer_for(debugger.plan, "karpathy")
    for line in program.lines:
        parameters = program.parameters if line.phase == "update" else (None,)
        for parameter in parameters:
            assert program.at_parameter(line, parameter) is program.at_parameter(line, parameter)
            assert outline(writer, line.block, line.index, parameter) is outline(
                writer, line.block, line.index, parameter
            )
        assert line.equation.reads is line.equation.reads
        assert writer.line(line) is writer.line(line)
    gone = ref(program)
    del debugger, program, writer
    gc.collect()
    assert gone() is None
