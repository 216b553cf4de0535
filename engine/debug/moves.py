"""Where a move leads: arithmetic on the positions of a program, see `Program.position`.

A group is what runs together: a time step of a loop, or a block outside one.
"""

from __future__ import annotations

from engine.model.program import Program


def time_step(program: Program, position: int, direction: int) -> int:
    """The same line at the next time step in the order of execution, or at the one before; at the edge of a loop, the end of a group."""
    line = program.line_at(position)
    if line is not None:
        block = program.blocks[line.block]
        base, offset = split(program, position)
        target = offset + direction * len(block.lines)
        if block.in_time and target in program.block_range(line.block):
            return 1 + base + target
    return _group(program, position, direction)


def end_of_phase(program: Program, position: int) -> int:
    """The last point of the phase; from there that of the next phase."""
    base, offset = split(program, position)
    ends = [program.phase_range(block.phase).stop - 1 for block in program.blocks]
    later = [end for end in ends if end > offset]
    return 1 + base + (later[0] if later else program.length + ends[0])


def start_of_phase(program: Program, position: int) -> int:
    """The first point of the phase; from there that of the phase before, and the start at last."""
    if position == 0:
        return 0
    base, offset = split(program, position)
    starts = sorted({program.phase_range(block.phase).start for block in program.blocks})
    earlier = [start for start in starts if start < offset]
    if earlier:
        return 1 + base + earlier[-1]
    return 1 + base - program.length + starts[-1] if base else 0


def iteration(program: Program, position: int, direction: int) -> int:
    """The same line at the same time step in the next iteration or the one before; from the start, the first line. At the first
    iteration nothing is before."""
    there = max(1, position) + direction * program.length
    return there if there > 0 else position


def split(program: Program, position: int) -> tuple[int, int]:
    """The position of the iteration's first line less one, and the offset in the iteration; the start ends one that is before all."""
    iteration, offset = divmod(position - 1, program.length)
    return iteration * program.length, offset


def _group(program: Program, position: int, direction: int) -> int:
    """The end of the group after this one, or of the one before."""
    if position == 0:
        return len(program.blocks[0].lines) if direction > 0 else 0
    base, offset = split(program, position)
    number = next(n for n in range(len(program.blocks)) if offset in program.block_range(n))
    covered = program.block_range(number)
    if direction < 0:
        return base + covered.start
    end = covered.stop - 1
    if not program.blocks[number].in_time and offset < end:
        return 1 + base + end
    follower = program.blocks[(number + 1) % len(program.blocks)]
    runs = 1 if follower.in_time else follower.runs(program.steps, len(program.parameters))
    return 1 + base + end + len(follower.lines) * runs
