"""The part of the program that reads the data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.codegen.beforehand import known_beforehand
from engine.codegen.source import Style
from engine.files.data import Data, TableLayout
from engine.files.raw import plain_suffix
from engine.model.initial_states import initial_places
from engine.session import Session
from engine.tables.cells.base import Cell
from engine.tables.given import MASK

WHOLE = "all_"
"""Before the names of all the data, where an iteration takes some samples of them."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """How the program gets a session's data.

    `source` reads the file into X (N, T, D), y, and where they are needed lengths (N,) and `valid` (N, T); `each` makes of them what an
    iteration works on.
    """

    session: Session
    style: Style

    @property
    def masked(self) -> bool:
        """Whether samples differ in length."""
        return self.session.debugger.lengths is not None

    @property
    def batched(self) -> bool:
        """Whether an iteration works on some samples only."""
        return not self.session.debugger.batches.whole

    @property
    def states(self) -> dict[str, str]:
        """Every initial state that is not zero, and every flow into a last state, by its name: a variable."""
        masks = self.style.plan.network.masks
        return {name: f"{name}0" for name in self.session.debugger.initial if name not in masks}

    def variables(self) -> list[str]:
        """The variables read from the file that an iteration needs, one row per sample."""
        return ["X", self.style.spelling.name("y"), *(["lengths"] if self.masked else []), *self.states.values()]

    def source(self) -> list[str]:
        """Reads the file."""
        data = self.session.data
        whole = data.X.shape
        if data.one_hot:
            data = replace(data, X=data.X[..., :1])
        if self.session.from_trace:
            lines = self._trace()
        elif data.table is not None:
            lines = self._series(data, data.table) if data.series else self._table(data, data.table)
        elif data.series is not None:
            lines = self._series(data, None)
        else:
            lines = self._text(data) if plain_suffix(data.path) == ".txt" else self._arrays(data)
        kind = self.style.plan.network.dtype
        if kind != "float64" and not self.session.from_trace:
            lines += [f"{name} = {name}.astype(np.{kind})" for name in ("X", *self.states.values())]
        network = self.style.plan.network
        own = {letter: size for letter, size in network.sizes.items() if letter != "D"}
        sizes = [f"{', '.join(own)} = {', '.join(map(str, own.values()))}"]
        if data.one_hot:
            lines.append(f"X = np.eye({whole[2]})[X[:, :, 0].astype(int)]")
        steps, features = whole[1:]
        if self.batched:
            return ["# ---- data ----", *lines, f"T, D = X.shape[1:]  # {steps}, {features}", *sizes, *self._batches()]
        sizes = [f"B, T, D = X.shape  # {len(data.X)}, {steps}, {features}", *sizes]
        return ["# ---- data ----", *lines, *sizes, *self.each(), ""]

    def each(self, iteration: str = "") -> list[str]:
        """What an iteration works on; `iteration` is its number where it takes some samples of the data."""
        lines: list[str] = []
        if self.batched:
            lines = [f"chosen = batch({iteration})"]
            lines += [f"{name} = {WHOLE}{name}[chosen]" for name in self.variables()]
            lines.append(f"B = len(X)  # {self.style.plan.batch}")
        lines += known_beforehand(self.style, masked=self.masked)
        return [*lines, ""] if self.batched else lines

    def _batches(self) -> list[str]:
        """All the data under other names, and which samples an iteration takes."""
        batches = self.session.debugger.batches
        renamed = [f"{WHOLE}{name} = {name}" for name in self.variables()]
        heading = [*renamed, "", "", "def batch(iteration):"]
        if batches.stateful:
            return [
                *heading,
                f"    # {batches.runs} runs of samples that follow each other; an iteration takes the next one of each",
                f"    return np.arange({batches.runs}) * {batches.per_epoch} + iteration % {batches.per_epoch}",
                "",
                "",
            ]
        return [
            *heading,
            "    # every epoch goes through all samples once, in an order of its own",
            f"    epoch, number = divmod(iteration, {batches.per_epoch})",
            f"    order = np.random.default_rng(({batches.seed}, epoch)).permutation({batches.samples})",
            f"    return order[number * {batches.size} : (number + 1) * {batches.size}]",
            "",
            "",
        ]

    def _trace(self) -> list[str]:
        every = self.style.plan.network.predict == "every"
        y = 'np.moveaxis(trace["y"], 0, 1)' if every else 'trace["y"]'
        lines = [f"trace = np.load({str(self.session.data.path)!r})", 'X = np.moveaxis(trace["x"], 0, 1)']
        lines.append(f"{self.style.spelling.name('y')} = {y}")
        if self.masked:
            lines.append(f'lengths = trace["{MASK}"].sum(axis=0).astype(int)')
        rows = self.session.debugger.plan
        return lines + [
            f"{variable} = trace[{name!r}][{rows.beginning(name)}]" for name, variable in self.states.items()
        ]

    def _arrays(self, data: Data) -> list[str]:
        steps, features = data.X.shape[1:]
        lines = [f"data = np.load({str(data.path)!r})", f'X = data["X"].reshape(-1, {steps}, {features}).astype(float)']
        if self.masked:
            lines += ['lengths = data["lengths"]', *_valid(steps), "X[~valid] = 0"]
        lines += self._targets(data, 'data["y"]', "")
        network = self.style.plan.network
        assert isinstance(network.cell, Cell)
        for state, (name, number) in initial_places(data.initial, network.layers, network.cell).items():
            if state in self.states:
                place = f"[{number}]" if data.initial[name].ndim == 3 else ""
                lines.append(f"{self.states[state]} = data[{name!r}]{place}")
        return lines

    def _text(self, data: Data) -> list[str]:
        """Windows of characters, one-hot; the target is the character that follows."""
        steps, every = data.X.shape[1], self.style.plan.network.predict == "every"
        y = self.style.spelling.name("y")
        following = f"codes[1 : len(X) * {steps} + 1].reshape(-1, {steps})"
        return [
            *self._opened(data),
            "    text = file.read()",
            "classes = sorted(set(text))",
            "codes = np.searchsorted(classes, list(text))",
            f"X = np.eye(len(classes))[codes[: (len(text) - 1) // {steps} * {steps}]].reshape(-1, {steps}, len(classes))",
            f"{y} = {following}{'' if every else '[:, -1]'}",
        ]

    def _opened(self, data: Data) -> list[str]:
        if data.path.suffix.lower() == ".gz":
            return ["import gzip", "", f'with gzip.open({str(data.path)!r}, "rt", encoding="utf-8-sig") as file:']
        return [f'with open({str(data.path)!r}, encoding="utf-8-sig") as file:']

    def _series(self, data: Data, layout: TableLayout | None) -> list[str]:
        """A row a time step, cut into windows."""
        series, y = data.series, self.style.spelling.name("y")
        assert series is not None
        if layout is None:
            lines = [
                f"data = np.load({str(data.path)!r})",
                'values = data["X"].reshape(len(data["X"]), -1).astype(float)',
            ]
            known, cast = 'data["y"]', ""
        else:
            lines = self._read(data, layout)
            lines.append(f"values = table[:, {_columns(layout.features)}].astype(float)")
            known, cast = self._column(layout), self._cast(data, layout)
        if self.style.plan.network.head.classes and not self._as_they_are(data):
            lines.append(f"classes, known = np.unique({known}{cast}, return_inverse=True)")
        else:
            kind = "int" if self.style.plan.network.head.classes else "float"
            lines.append(f"known = {known}.astype({kind})")
        every = "starts[:, None] + np.arange({0})" if series.every else "starts + {0} - 1"
        lines += [
            f"starts = np.arange({series.samples}) * {series.stride}  # samples are windows of {series.window} rows",
            f"X = values[starts[:, None] + np.arange({series.window})]",
            f"{y} = known[{every.format(series.window)} + {series.ahead}]",
        ]
        if not self.style.plan.network.head.classes:
            network = self.style.plan.network
            kind = f".astype(np.{network.dtype})" if network.dtype != "float64" else ""
            lines.append(f"{y} = {y}.reshape(*X.shape[:{2 if series.every else 1}], -1){kind}")
        return lines

    def _read(self, data: Data, layout: TableLayout) -> list[str]:
        """Reads the table: text from a CSV file, else what the file holds."""
        if layout.kind == "npy":
            return [f"table = np.load({str(data.path)!r})", "table = table.reshape(len(table), -1)"]
        if layout.kind == "parquet":
            return [
                "import pyarrow.parquet",
                "",
                f"columns = pyarrow.parquet.read_table({str(data.path)!r}).columns",
                "table = np.array([column.to_pylist() for column in columns], dtype=object).T",
            ]
        return [
            "table = np.loadtxt(",
            f"    {str(data.path)!r},",
            f"    delimiter={layout.delimiter!r}, skiprows={layout.skip}, dtype=str, comments=None, quotechar='\"',",
            '    encoding="utf-8-sig", ndmin=2,',
            ")",
            *(['table = np.char.replace(table, ",", ".")'] if layout.commas else []),
        ]

    def _column(self, layout: TableLayout) -> str:
        """The source of the targets' cells."""
        columns = _columns(layout.targets) if len(layout.targets) > 1 else str(layout.target)
        known = f"table[:, {columns}]"
        if layout.kind == "csv":
            return f"np.char.strip({known})"
        return known if layout.kind == "npy" or layout.numeric_target else f"{known}.astype(str)"

    def _cast(self, data: Data, layout: TableLayout) -> str:
        whole = all(name.lstrip("+-").isdigit() for name in data.classes)
        return "" if not layout.numeric_target else ".astype(int)" if whole and data.classes else ".astype(float)"

    def _table(self, data: Data, layout: TableLayout) -> list[str]:
        steps, features = data.X.shape[1:]
        lines = self._read(data, layout)
        values = f"table[:, {_columns(layout.features)}]"
        if self.masked and layout.kind == "parquet":
            values = f'np.array([["" if cell is None else str(cell) for cell in row] for row in {values}])'
        if self.masked:  # empty cells are what is missing at a sample's end
            lines += [f"cells = np.char.strip({values})", f'lengths = (cells != "").sum(axis=1) // {features}']
            lines += _valid(steps)
            values = 'np.where(cells == "", "0", cells)'
        lines.append(f"X = {values}.astype(float).reshape(-1, {steps}, {features})")
        return lines + self._targets(data, self._column(layout), self._cast(data, layout))

    def _targets(self, data: Data, values: str, cast: str) -> list[str]:
        """y from the file's values: numbers, or indices of classes; beyond a sample's length 0."""
        network, y = self.style.plan.network, self.style.spelling.name("y")
        every = network.predict == "every"
        short = self.masked and every
        known, result = (f"{values}[valid]{cast}", "known") if short else (f"{values}{cast}", y)
        if network.head.classes and self._as_they_are(data):
            lines = [f"{result} = {known}.astype(int)"]
        elif network.head.classes:
            lines = [f"classes, {result} = np.unique({known}, return_inverse=True)"]
        else:
            lines = [f"{result} = {known}{'' if cast else '.astype(float)'}"]
        if short:
            shape = "valid.shape" if network.head.classes else "(*valid.shape, *known.shape[1:])"
            lines += [f"{y} = np.zeros({shape}, known.dtype)", f"{y}[valid] = known"]
        if not network.head.classes:
            kind = f".astype(np.{network.dtype})" if network.dtype != "float64" else ""
            lines.append(f"{y} = {y}.reshape(*X.shape[:{2 if every else 1}], -1){kind}")
        elif every and not short:
            lines.append(f"{y} = {y}.reshape(X.shape[:2])")
        elif data.table is None and not every:
            lines.append(f"{y} = {y}.reshape(len(X))")
        return lines

    def _as_they_are(self, data: Data) -> bool:
        """Whether a loss for two classes takes the file's 0 and 1 themselves, of which one may be missing."""
        numeric = data.table is None or data.table.numeric_target
        return self.style.plan.network.head.two_classes and numeric and data.classes == ("0", "1")


def _valid(steps: int) -> list[str]:
    return [f"valid = np.arange({steps}) < lengths[:, None]  # (N, T): the steps that each sample has"]


def _columns(columns: tuple[int, ...]) -> str:
    first, last = columns[0], columns[-1]
    return f"{first}:{last + 1}" if columns == tuple(range(first, last + 1)) else f"{list(columns)}"
