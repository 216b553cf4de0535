"""A *reading* of a program: which cell its weights belong to, and which array holds which weights, judging by the names.

The words of `roles` are those of a simple RNN. A cell with gates has weights of each, which people call by the gate's letter (Wxi, W_if,
Ui and Wi, Wf over state and input in one), or arrays of all gates side by side. Which reading is right is found by trying.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from engine.doctor.vocabulary import roles
from engine.doctor.vocabulary.packing import ALL, JOINED, OWN, axes_of, gates, is_matrix, is_role, parameters_in
from engine.model.build import build
from engine.model.network import Network
from engine.notation import NOTATIONS, Spelling
from engine.tables.cells import CELLS, VARIANTS, Cell

_LETTERS: Mapping[str, str] = {
    "input gate": "i u in input inp update inputgate ig it",
    "forget gate": "f forget forgetgate fg ft",
    "candidate": "g c n h a z cc cell candidate cand ctilde cbar chat htilde hhat hbar new cct gate",
    "output gate": "o output out outputgate og ot",
    "reset gate": "r reset resetgate rt",
    "update gate": "z u update updategate zt",
}
"""What gates are called in the names of weights, by what the cell's table says that they mean; the usual first."""

_PAIRS: Sequence[tuple[str, str]] = (
    ("wx{}", "wh{}"),
    ("w{}x", "w{}h"),
    ("wi{}", "wh{}"),
    ("wx{}", "wa{}"),
    ("w{}x", "w{}a"),
    ("wa{}x", "wa{}a"),
    ("w{}i", "w{}h"),
    ("ux{}", "wh{}"),
    ("wx{}", "uh{}"),
    ("u{}", "w{}"),
    ("w{}", "u{}"),
    ("w{}", "r{}"),
    ("w{}", "v{}"),
    ("w{}", "wh{}"),
    ("w{}", "wr{}"),
)
"""The names of a gate's weights of the input and of the state."""
_BIASES = ("b{}", "b{}x", "bx{}", "bi{}", "b{}i")
_SECOND = ("bh{}", "b{}h")


@dataclass(frozen=True, eq=False)
class Names:
    """A reading of names: `cells`, any of which it may be (they have the same parameters), and the roles of words that have others in a
    simple RNN (None: no role)."""

    cells: tuple[Cell, ...] = (CELLS["rnn"],)
    words: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])

    def __str__(self) -> str:
        """What it may be, in words."""
        if self.cell.has_activation:
            return "a simple RNN (tanh, relu or sigmoid)"
        return f"the cell {self.cell.name}{' or of a variant of it that is known' if len(self.cells) > 1 else ''}"

    @property
    def cell(self) -> Cell:
        """The likeliest cell."""
        return self.cells[0]

    @property
    def simple(self) -> bool:
        """Whether it is a simple RNN, whose weights may have any names."""
        return self.cell.has_activation

    @cached_property
    def apart(self) -> bool:
        """Whether each gate's weights are called by the gate."""
        return any(
            (role in self.cell.parameters and role not in ALL) or "." in (role or "") for role in self.words.values()
        )

    def role(self, name: str) -> str | None:
        """The role of a name, as in `roles.role`, with the cell's own parameters among the roles."""
        word = self._word(name)
        if word is not None:
            return self.words[word]
        role_found = roles.role(name)
        return None if self.apart and role_found in ALL else role_found

    def _word(self, name: str) -> str | None:
        """The word of this reading that a name is."""
        stripped = name.strip().removeprefix("self.").strip("_")
        spelt = (stripped, normal(stripped)) if len(stripped) > 1 else (stripped,)
        return next((word for word in spelt if word in self.words), None)

    def parameter(self, name: str) -> str | None:
        """The role of a name that means an array of parameters, or None."""
        meant = self.role(name)
        return meant if meant is not None and is_role(meant, self.cell) else None

    def gradient(self, name: str) -> str | None:
        """The array of parameters (or initial state, or X) whose gradient a name means."""
        word = self._word(name)
        if word is not None and self.words[word] is not None:
            return None  # the weights of the gate g end in g, as gradients may: Wxg
        return roles.gradient(name, self._array)

    def _array(self, name: str) -> str | None:
        meant = self.role(name)
        known = meant is not None and (meant in (*self.states, "X") or is_role(meant, self.cell))
        return meant if known else None

    @property
    def states(self) -> tuple[str, ...]:
        """The roles of the initial states: a0 is that of the output."""
        return ("a0", *(f"{name}0" for name in self.cell.states if name != self.cell.output))


def normal(name: str) -> str:
    """A name without what people spell differently: `weights_xi`, `W_xi` and `Wxi` are one."""
    plain = re.sub(r"^(?:weights?|kernel)_?(?=.)", "w", re.sub(r"^bias_?(?=.)", "b", name.lower()))
    return re.sub(r"_l0$", "", plain).replace("_", "")


SIMPLE = Names()
"""The simple RNN, by the words of `roles`."""

_TWO_BIASES: Mapping[str, str | None] = {"b_ih": "ba", "b_hh": "ba2"}


def words_in(tree: ast.AST) -> frozenset[str]:
    """The names, attributes, arguments and short texts of a program: what an array may be called."""
    words: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.arg(arg=word) | ast.keyword(arg=str(word)):
                words.add(word)
            case ast.Constant(value=str(word)) if len(word) < 24 and word.isidentifier():
                words.add(word)
            case ast.FunctionDef(name=word) | ast.ClassDef(name=word):
                words.add(word)
            case _:
                pass
    return frozenset(words)


def readings(words: frozenset[str], user_cells: Sequence[Cell] = ()) -> Iterator[Names]:
    """The readings that a program's words allow, the one that explains most first; a simple RNN, which may have any names, last.

    `user_cells` are cells of the user's own, which go before those that come with the project.
    """
    ranked: list[tuple[int, Names]] = []
    for cell in (*user_cells, *CELLS.values()):
        apart = _by_letter(cell, words) if len(gates(cell)) > 1 else ()
        ranked += [(len(meanings), Names(_family(cell), meanings)) for meanings in (*_spelled(cell, words), *apart)]
    ranked.sort(key=lambda entry: -entry[0])
    yield from (names for _, names in ranked)
    read = {names.cell for _, names in ranked}
    gated = [cell for cell in CELLS.values() if len(gates(cell)) > 1 and cell not in read]
    said = [cell for cell in gated if any(cell.name in word.lower() for word in words)]
    yield from itertools.chain.from_iterable(_stacked(cell, words) for cell in said)
    yield Names(words=_TWO_BIASES) if _TWO_BIASES.keys() <= words else SIMPLE
    others = [cell for cell in gated if cell not in said and _has_gates(cell, words)]
    yield from itertools.chain.from_iterable(_stacked(cell, words) for cell in others)


def _family(cell: Cell) -> tuple[Cell, ...]:
    """The cell and what else goes by its name."""
    return (cell, *(VARIANTS.get(cell.name, ()) if CELLS.get(cell.name) is cell else ()))


def _has_gates(cell: Cell, words: frozenset[str]) -> bool:
    """Whether every gate of the cell is there by its name."""
    plain = {normal(word) for word in words}
    return all(plain & set(_LETTERS.get(cell.meanings.get(gate, ""), gate).split()) for gate in gates(cell))


def _spelled(cell: Cell, words: frozenset[str]) -> Iterator[dict[str, str | None]]:
    """The notations in which all weights of the cell are there."""
    axes = axes_of(cell)
    for spelling in _spellings(cell):
        names = {spelling.name(name): name for name in axes}
        is_known = all(roles.role(word) == name for word, name in names.items())  # as the simple RNN's words have it
        if not is_known and all(word in words for word, name in names.items() if len(axes[name]) == 2):
            yield {**_cleared(cell), **{word: name for word, name in names.items() if word in words}}


@lru_cache(maxsize=16)
def _spellings(cell: Cell) -> tuple[Spelling, ...]:
    program = build(Network(inputs=1, outputs=1, hidden=1, cell=cell), 1)
    return tuple(Spelling(notation, cell, program) for notation in NOTATIONS.values())


def _by_letter(cell: Cell, words: frozenset[str]) -> Iterator[dict[str, str | None]]:
    """The ways to read names as those of each gate's weights, apart or over state and input in one."""
    by_normal = {normal(word): word for word in sorted(words, reverse=True)}
    letters = {gate: _LETTERS.get(cell.meanings.get(gate, ""), gate).split() for gate in gates(cell)}
    for patterns in (*_PAIRS, ("w{}",)):
        choices = [[a for a in own if all(p.format(a) in by_normal for p in patterns)] for own in letters.values()]
        for chosen in itertools.islice(itertools.product(*choices), 8):
            if len(set(chosen)) == len(chosen):
                yield _words(cell, dict(zip(letters, chosen, strict=True)), patterns, by_normal)


def _words(
    cell: Cell, chosen: Mapping[str, str], patterns: Sequence[str], by_normal: Mapping[str, str]
) -> dict[str, str | None]:
    meanings: dict[str, str | None] = {}
    for k, (gate, letter) in enumerate(chosen.items()):
        if len(patterns) == 1:
            meanings[patterns[0].format(letter)] = f"{JOINED}.{gate}"
        else:
            meanings[patterns[0].format(letter)] = cell.torch["weight_ih"][k]
            meanings[patterns[1].format(letter)] = cell.torch["weight_hh"][k]
        second = cell.torch["bias_hh"][k] if "bias_hh" in cell.torch else ""
        if second and second != cell.torch["bias_ih"][k]:
            meanings |= {p.format(letter): second for p in _SECOND if p.format(letter) in by_normal}
        bias = next((p.format(letter) for p in _BIASES if p.format(letter) in by_normal), None)
        if bias is not None:
            meanings[bias] = cell.torch["bias_ih"][k]
    return {**_cleared(cell), **meanings}


def _cleared(cell: Cell) -> dict[str, str | None]:
    """The quantities' own letters, and what in a simple RNN is its only weight or bias, mean nothing of the kind here."""
    return dict.fromkeys((*cell.states, "b", "u", "w", "U", "W"), None) if len(gates(cell)) > 1 else {}


def _stacked(cell: Cell, words: frozenset[str]) -> Iterator[Names]:
    """All gates side by side: as the words of a simple RNN have it, with U and W exchanged, and input and state in one."""
    family = _family(cell)
    has_bias = "V" not in words or any(roles.role(word) == "by" for word in words if word not in ("c", "C"))
    cleared: dict[str, str | None] = dict.fromkeys(cell.states, None) if has_bias else {}
    cleared |= _TWO_BIASES if _TWO_BIASES.keys() <= words else {}
    weights = {role: [word for word in words if roles.role(word) == role] for role in ("Wx", "Wa")}
    if all(weights.values()):
        yield Names(family, cleared)
        if {"U", "W"} <= words:
            yield Names(family, {**cleared, "W": "Wx", "U": "Wa"})
        return
    joined = [word for word in words if normal(word) in (f"w{cell.name}", "wgates")]
    for word in (*joined, *sorted(itertools.chain.from_iterable(weights.values()))):
        yield Names(family, {**cleared, word: JOINED})


def has_weights(names: Names, given: Iterable[str]) -> bool:
    """Whether roles are enough for a forward pass: every weight of the cell is among what they hold."""
    cell = names.cell
    inside = frozenset(n for role in given if is_role(role, cell) for n in parameters_in(role, cell, OWN))
    return all(name in inside for name in cell.parameters if is_matrix(name, cell))
