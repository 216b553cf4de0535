"""The program is run, repaired in memory where it stops, and run again, up to a bound of attempts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.doctor.lineage.record.running import Runs
from engine.doctor.repair import loops, meaning, mistyped, names, products, shapes
from engine.doctor.repair.seen import SeenRun
from engine.doctor.repair.slip import Slip, SlipKind, changed
from engine.doctor.run.outcome import TracebackPlace

ATTEMPTS = 24
"""So many texts are run at most."""
CERTAIN: tuple[SlipKind, ...] = (
    names.gone_from_numpy,
    names.gone_arguments,
    names.gone_from_python,
    names.summed_generator,
    names.misspelt_numpy,
    names.misspelt,
    names.hides_outer,
)
"""What the text alone shows."""
SEEN: tuple[SlipKind, ...] = (
    meaning.softmax_over_all,
    meaning.index_minus_probabilities,
    shapes.output_width,
    products.crossed,
    meaning.overwritten,
    meaning.rate_twice,
)
"""What a run shows, whether or not it fails by it."""
TRIED: tuple[SlipKind, ...] = (
    names.unread_import,
    mistyped.shape_in_parts,
    mistyped.iterator_for_list,
    mistyped.misspelt_member,
    mistyped.self_missing,
    mistyped.math_of_array,
    mistyped.one_number_in_an_array,
    mistyped.no_array,
    mistyped.whole_numbers,
    mistyped.divided_whole_numbers,
    loops.wrong_axis,
    shapes.initial_rows,
    shapes.addend_lengths,
    products.misfit_sum,
    products.misfit,
)
"""What an exception may come from: each is a repair that must bring the program past it."""


@dataclass(frozen=True, eq=False)
class Followed:
    """A program that stopped, and how far it was followed: the slips in the order in which they were found (`first` is the one at which it
    stopped, None where that could not be repaired), the texts with all repairs by their files' names, and the last run of them."""

    first: Slip | None
    slips: tuple[Slip, ...]
    last: SeenRun
    texts: Mapping[str, str]
    after: Slip | None
    """The repair that brought it furthest."""


def followed_on(runs: Runs) -> Followed | None:
    """A program that ends by an exception, repaired as far as it can be; None where it cannot be and nothing is certain."""
    attempts = _Attempts(runs)
    begun = attempts.look("", runs.program.text)
    if begun is None or begun.failed is None:
        return None
    return _Following(attempts, begun).followed()


class _Attempts:
    """Runs of the program with changed texts, counted. Its own file is called ""."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._left = ATTEMPTS
        self.texts: dict[str, str] = {}
        """The repaired texts, by their files' names in the record."""

    def look(self, file: str, text: str) -> SeenRun | None:
        """The program run with this text of one of its files, and that file seen."""
        if self._left == 0:
            return None
        self._left -= 1
        name = file or self._runs.name
        outcome, told = self._runs.with_texts({**self.texts, name: text}).seen(name)
        lines = [frame.line for frame in outcome.ending.frames if self._name(frame) == file]
        try:
            return None if told is None else SeenRun(text, outcome, told, file, lines[-1] if lines else None)
        except (ValueError, KeyError, TypeError, IndexError, SyntaxError, RecursionError):
            return None  # no text that runs, or no answer that can be read

    def take(self, seen: SeenRun) -> SeenRun:
        """Goes on from the text of a run."""
        self.texts[seen.file or self._runs.name] = seen.text
        return seen

    def raised_in(self, seen: SeenRun) -> str:
        """The file in which the exception of a run was raised, as far as it is the user's."""
        frames = seen.outcome.ending.frames
        return self._name(frames[-1]) if frames else ""

    def text_of(self, file: str) -> str | None:
        """The text of a file with its repairs."""
        name = file or self._runs.name
        return self.texts.get(name) or self._runs.text_of(name)

    def _name(self, frame: TracebackPlace) -> str:
        name = os.path.relpath(frame.file, self._runs.program.folder)
        return "" if name == self._runs.name else name


class _Following:
    def __init__(self, attempts: _Attempts, begun: SeenRun) -> None:
        self._attempts, self._seen = attempts, attempts.take(begun)
        self._slips: list[Slip] = []
        self._known: set[tuple[str, str, int]] = set()
        self._looked_at: set[tuple[str, str]] = set()
        self._first: Slip | None = None
        self._after: Slip | None = None
        self._own: dict[str, str] = {}
        self._by_line: set[tuple[str, str, int]] = set()
        """The slips of which the line with its repair is told."""

    def followed(self) -> Followed | None:
        while (
            self._together()
            or self._turned_to(self._attempts.raised_in(self._seen))
            or self._past()
            or self._turned_to("")
        ):
            pass
        told = [self._with_all_repairs(s) for s in self._slips]
        slips = told if self._first is not None else [s for s in told if s.stops]
        return Followed(self._first, tuple(slips), self._seen, self._attempts.texts, self._after) if slips else None

    def _turned_to(self, file: str) -> bool:
        """Looks at another of the program's files, once for each exception; whether it does."""
        text = self._attempts.text_of(file) if file != self._seen.file else None
        if text is None or (self._seen.said, file) in self._looked_at:
            return False
        self._looked_at.add((self._seen.said, file))
        turned = self._attempts.look(file, text)
        if turned is None:
            return False
        self._seen = turned
        return True

    def _together(self) -> bool:
        """All that is certain or was seen, repaired at once where that does no harm; whether there was anything new."""
        found = list(self._new(CERTAIN if self._first is None and not self._slips else (*CERTAIN, *SEEN)))
        if self._first is None and not found:
            found = list(self._new(SEEN))
        apart = list(_apart(found))
        if not apart:
            return False
        for slip in apart:
            self._note(slip)
        before = self._seen
        together = self._attempts.look(before.file, changed(before.text, [c for slip in apart for c in slip.changes]))
        if together is not None and together.is_as_far(before):
            self._seen = self._attempts.take(together)
        else:
            for slip in apart:
                self._alone(slip)
        if before.failed is not None and self._seen.is_past(before):
            line, last = before.failed.lineno, before.failed.end_lineno or 0
            reason = next((s for s in apart if line <= s.line <= last), apart[0])
            self._passed(reason)
        return True

    def _alone(self, slip: Slip) -> None:
        """One repair; it is left out when the program then ends earlier. Only the first changes a text whose places are known."""
        same = [s for kind in (*CERTAIN, *SEEN) for s in kind(self._seen) if (s.id, s.line) == (slip.id, slip.line)]
        for again in same[:1]:
            made = self._attempts.look(self._seen.file, changed(self._seen.text, again.changes))
            if made is not None and made.is_as_far(self._seen):
                self._seen = self._attempts.take(made)
                return
        self._by_line.discard((self._seen.file, slip.id, slip.line))

    def _past(self) -> bool:
        """Brings the program past its exception by the first repair that does, alone or with another."""
        if self._seen.failed is None:
            return False
        for slips, seen in self._ways(self._seen, 2):
            for slip in slips:
                self._note(slip)
            self._seen = self._attempts.take(seen)
            self._passed(slips[0])
            return True
        return False

    def _ways(self, at: SeenRun, deep: int) -> Iterator[tuple[tuple[Slip, ...], SeenRun]]:
        """Repairs that bring the program past its exception."""
        nearer: list[tuple[Slip, SeenRun]] = []
        for slip in _candidates(at):
            if (at.file, slip.id, slip.line) in self._known and slip.id != "misfit":
                continue
            made = self._attempts.look(at.file, changed(at.text, slip.changes))
            if made is None:
                continue
            if made.is_past(self._seen):
                yield (slip,), made
            elif made.is_as_far(at) and made.said != at.said:
                nearer.append((slip, made))
        for slip, made in nearer if deep > 1 else ():
            for more, seen in self._ways(made, deep - 1):
                yield (slip, *more), seen

    def _new(self, kinds: Sequence[SlipKind]) -> Iterator[Slip]:
        for kind in kinds:
            for slip in kind(self._seen):
                if (self._seen.file, slip.id, slip.line) not in self._known:
                    yield slip

    def _note(self, slip: Slip) -> None:
        key = (self._seen.file, slip.id, slip.line)
        if key not in self._known:
            self._known.add(key)
            fix = slip.fix or _line(self._seen.text, slip)
            self._by_line |= set() if slip.fix else {key}
            told = replace(slip, title=self._shown(slip.title), fix=self._shown(fix))
            self._slips.append(replace(told, after=self._after, file=self._seen.file))
            self._own.update({c.text: c.shown for c in slip.changes if c.shown is not None})

    def _with_all_repairs(self, slip: Slip) -> Slip:
        """The same with its line as it is at the end: other slips may be repaired there, too."""
        text = self._attempts.text_of(slip.file) if (slip.file, slip.id, slip.line) in self._by_line else None
        if text is None:
            return slip
        return replace(slip, fix=self._shown(text.split("\n")[slip.line - 1].strip()) or slip.fix)

    def _shown(self, text: str) -> str:
        """Without what stands there only in memory."""
        for own, shown in self._own.items():
            text = text.replace(own, shown)
        return text

    def _passed(self, slip: Slip) -> None:
        slip = self._after = replace(slip, file=self._seen.file)
        if self._first is None:
            self._first = slip


def _candidates(seen: SeenRun) -> Iterator[Slip]:
    told = set[tuple[object, ...]]()
    for kind in TRIED:
        for slip in kind(seen):
            if slip.changes and slip.changes not in told:
                told.add(slip.changes)
                yield slip


def _apart(slips: Sequence[Slip]) -> Iterator[Slip]:
    """Those whose changes do not touch each other."""
    taken: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for slip in slips:
        own = [((c.line, c.column), (c.last, c.end)) for c in slip.changes]
        if all(end <= begin or last <= start for start, end in own for begin, last in taken):
            taken += own
            yield slip


def _line(text: str, slip: Slip) -> str:
    """The line as it is with its repair."""
    return changed(text, slip.changes).split("\n")[slip.line - 1].strip() if slip.changes else ""
