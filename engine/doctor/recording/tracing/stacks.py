# pyright: basic, reportArgumentType=false, reportGeneralTypeIssues=false
"""Where a program was while its record grew: which of its lines fills it."""

FEWEST = 8
"""So often it must have been looked where the program is, before a line is said to fill the record."""


class Stacks:
    """Where the program was each time that a part of the record was written: the calls that ran, and the line of each."""

    def __init__(self, lines):
        self.frames_of = getattr(lines, "frames", list)
        self.last = []  # the frames themselves, so that no other one is taken for them, and their numbers
        self.calls = 0
        self.seen = []

    def look(self):
        """Keeps where it is now."""
        stack, same = [], True
        for depth, (frame, line) in enumerate(self.frames_of()):
            same = same and depth < len(self.last) and self.last[depth][0] is frame
            if not same:
                self.calls += 1
            stack.append((frame, self.last[depth][1] if same else self.calls, line))
        self.last = [each[:2] for each in stack]
        if stack:
            self.seen.append([each[1:] for each in stack])

    def filling(self):
        """The line that fills the record: of the innermost call that ran at least half of the time the line on which it was for as long,
        else that of its caller. 0 where there is none."""
        self.last = []
        counts, lines, callers = {}, {}, {}
        for stack in self.seen:
            caller = 0
            for call, line in stack:
                counts[call] = counts.get(call, 0) + 1
                lines[call, line] = lines.get((call, line), 0) + 1
                callers[call] = caller
                caller = line
        most = [call for call in callers if 2 * counts[call] >= len(self.seen)]
        if not most or len(self.seen) < FEWEST:
            return 0
        inner = max(most)  # a call is numbered after its caller
        count, line = max((count, line) for (call, line), count in lines.items() if call == inner)
        return line if 2 * count >= len(self.seen) else callers[inner]
