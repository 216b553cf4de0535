"""Series: rows that are time steps, cut into windows; what is left out of a table, and said; the further kinds of tables."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.errors import InputError
from engine.files import cells
from engine.files.data import Data, load
from engine.recording.batches import Batches
from engine.session import open_session
from tests.engine.codegen.test_codegen import assert_same

ROWS = [(20 + day, 50 - day, 1000.0 + day / 2) for day in range(1, 16)]
WEATHER = "date,temp,humidity,pressure\n" + "".join(
    f"2021-03-{d:02},{t},{h},{p}\n" for d, (t, h, p) in enumerate(ROWS, 1)
)
LATER = "with the target one row later"


@pytest.fixture(name="weather")
def weather_file(tmp_path: Path) -> Path:
    (tmp_path / "weather.csv").write_text(WEATHER)
    return tmp_path / "weather.csv"


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        load(path, **options)
    return str(caught.value)


def test_windows_of_a_dated_series_and_the_value_one_row_later(weather: Path) -> None:
    data = load(weather, series=True, window=10, target="temp", loss="squared")
    assert data.X.shape == (5, 10, 3)
    np.testing.assert_array_equal(data.X[2], ROWS[2:12])
    assert data.y.tolist() == [row[0] for row in ROWS[10:]]
    assert data.said == ("column 1 (date) holds dates: left out", f"5 samples of 10 rows, {LATER} (--window, --ahead)")


def test_a_target_at_every_row_and_further_ahead(weather: Path) -> None:
    data = load(weather, series=True, window=4, ahead=3, predict="every")
    assert data.y[1].tolist() == [row[2] for row in ROWS[4:8]]
    assert "the last column (pressure) is the target; --target NAME takes another" in data.said


def test_a_target_of_the_row_itself_is_no_input(weather: Path) -> None:
    assert load(weather, series=True, ahead=0).X.shape == (6, 10, 2)
    weather.write_text("a,b,sky\n" + "1,2,sun\n3,4,rain\n" * 4)
    data = load(weather, series=True, window=3)
    assert (data.X.shape, data.classes, data.y.tolist()) == ((6, 3, 2), ("rain", "sun"), [1, 0, 1, 0, 1, 0])
    assert "with the target at its last row" in data.said[-1]
    weather.write_text("sky\n" + "sun\nrain\n" * 4)
    assert "no column of values is left" in refusal(weather, series=True)


def test_one_column_is_a_series_of_its_own(weather: Path) -> None:
    weather.write_text("".join(f"{value}.5\n" for value in range(6)))
    data = load(weather, series=True, window=2)
    assert (data.X[:, :, 0].tolist(), data.y.tolist()) == ([[i + 0.5, i + 1.5] for i in range(4)], [2.5, 3.5, 4.5, 5.5])


def test_rows_that_are_samples_are_told_of_series(weather: Path) -> None:
    data = load(weather)
    assert data.X.shape == (15, 2, 1)
    assert "each row is a sample; where dated rows are the steps of a series, say --series" in data.said
    assert "where each row is a time step, --series --window 10" in refusal(weather, timesteps=10)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"window": 10}, "--window is about rows that are time steps; say --series"),
        ({"series": True, "window": 15}, "its 15 rows are too few for a window of 15 rows and a target 1 rows later"),
        ({"series": True, "target": "tmp"}, "no column tmp (--target); did you mean temp?"),
        ({"series": True, "drop": ("9",)}, "no column 9 (--drop); it has date, temp, humidity, pressure"),
        ({"target": "temp", "drop": ("TEMP",)}, "--target and --drop name the same column"),
        ({"drop": ("temp", "2", "humidity", "pressure")}, "of its 4 columns none is left"),
        ({"series": True, "window": 3, "timesteps": 4}, "--window 3 and --timesteps 4 contradict"),
    ],
)
def test_refusals(weather: Path, options: dict[str, Any], part: str) -> None:
    assert part in refusal(weather, **options)


def test_a_gap_in_a_series_is_placed(weather: Path) -> None:
    weather.write_text(WEATHER.replace(",47,", ",,"))
    assert "weather.csv: row 4, column 3 (humidity) is empty; a series needs a number" in refusal(weather, series=True)


def test_dates_that_go_back_are_said(weather: Path) -> None:
    weather.write_text(WEATHER.replace("2021-03-05", "2021-02-05"))
    assert (
        "row 6 is dated before the row above it; rows are taken in the order of the file"
        in load(weather, series=True).said
    )


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "__index_level_0__"])
def test_an_index_of_pandas_is_left_out_and_said(weather: Path, name: str) -> None:
    weather.write_text(f"{name},a,b,label\n0,5,6,x\n1,7,8,y\n")
    data = load(weather)
    assert data.X[:, :, 0].tolist() == [[5, 6], [7, 8]]
    assert data.said == ("column 1 has no name and counts 0, 1, 2, …: left out, as an index",)
    weather.write_text(f"{name},a,b,label\n0,5,6,x\n2,7,8,y\n")  # it does not count
    assert load(weather).X.shape == (2, 3, 1)
    weather.write_text(f"{name},a,b,label\n²,5,6,x\n1,7,8,y\n")  # what Python calls a digit
    assert "'²', which is not a number" in refusal(weather)


@pytest.mark.parametrize(
    "cell", ["2021-03-01", "2021-03-01 12:30", "2021-03-01T12:30:00.5Z", "1.3.2021", "03/01/21 5:00 pm", "12:30"]
)
def test_dates(cell: str) -> None:
    assert cells.is_date(cell)
    assert not cells.is_number(cell)


def test_other_tables(weather: Path) -> None:
    folder = weather.parent
    expected = load(weather, series=True)
    (folder / "w.csv.gz").write_bytes(gzip.compress(WEATHER.encode()))
    np.save(folder / "w.npy", ROWS)
    np.savez(folder / "w.npz", X=ROWS, y=[row[2] for row in ROWS])
    for name, options in (("w.csv.gz", {}), ("w.npy", {}), ("w.npz", {"ahead": 1})):
        data = load(folder / name, series=True, **options)
        assert data.name == "w"
        np.testing.assert_array_equal(data.X, expected.X)
        np.testing.assert_array_equal(data.y, expected.y)
        assert_same(open_session(folder / name, {"series": True, "window": 4, **options}))
    (folder / "w.csv.gz").write_bytes(gzip.compress(WEATHER.encode())[:-20])
    assert "w.csv.gz is no gzip file, or cut off or damaged" in refusal(folder / "w.csv.gz")
    np.save(folder / "w.npy", np.zeros((2, 3, 4)))
    assert "w.npy: a single array of shape (2, 3, 4) says no targets" in refusal(folder / "w.npy")
    np.save(folder / "w.npy", np.array([None]))
    assert "holds Python objects (a pickle)" in refusal(folder / "w.npy")
    (folder / "w.npy").write_bytes(b"\x93NUMPY\1\0")
    assert "w.npy is no .npy file, or damaged" in refusal(folder / "w.npy")
    np.savez(folder / "w.npz", X=ROWS, y=[1, 2])
    assert "w.npz: X has shape (15, 3) and y (2,); a series needs a row a time step" in refusal(
        folder / "w.npz", series=True
    )


def test_parquet_through_an_optional_package(weather: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = weather.with_suffix(".parquet")
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert "reading Parquet needs pyarrow; pip install 'rnn-tui[parquet]'" in refusal(path)

    def batch(rows: Any) -> Any:
        columns = [SimpleNamespace(to_pylist=lambda values=values: list(values)) for values in zip(*rows, strict=True)]
        return SimpleNamespace(columns=columns, nbytes=100)

    class ParquetFile:
        """What is used of pyarrow's."""

        schema_arrow = SimpleNamespace(names=["temp", "humidity", "pressure"])
        metadata = SimpleNamespace(num_rows=len(ROWS))

        def __init__(self, opened: Any) -> None:
            assert opened.name == str(path)

        def iter_batches(self, batch_size: int) -> Any:
            return map(batch, (ROWS[:8], ROWS[8:]))

    module = ModuleType("pyarrow.parquet")
    module.__dict__["ParquetFile"] = ParquetFile
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", module)
    np.testing.assert_array_equal(load(path, series=True).X, load(weather, series=True).X)
    monkeypatch.setattr(cells, "SIZE_LIMIT", 150)
    assert "weather.parquet would need 200 bytes of memory, more than the limit of 150 bytes" in refusal(path)
    monkeypatch.setattr(cells, "CELLS_LIMIT", 40)
    assert "about 45 cells, more than the 40 that a table may have" in refusal(path)


# --- samples that follow each other


def test_an_iteration_takes_the_next_sample_of_every_run() -> None:
    batches = Batches(11, 2, 0, stateful=True)
    assert batches.per_epoch == 5
    assert [batches.indices(i).tolist() for i in (0, 1, 4, 5)] == [[0, 5], [1, 6], [4, 9], [0, 5]]
    assert [batches.goes_on(i) for i in (0, 1, 4, 5)] == [False, True, True, False]


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_a_state_goes_on_and_begins_again_with_the_series(weather: Path, cell: str) -> None:
    options = {"series": True, "window": 3, "stateful": True, "cell": cell, "hidden": 4, "lr": 1e-9, "notation": "ng"}
    debugger = open_session(weather, options).debugger
    state = debugger.network.table.states[0]
    assert debugger.batches.per_epoch == 4
    for iteration in range(1, 6):
        before, here = debugger.tape(iteration - 1), debugger.tape(iteration)
        np.testing.assert_array_equal(here["x"][:, 0], ROWS[iteration % 4 * 3 :][:3])
        ended = 0 * before[state][3] if iteration == 4 else before[state][3]
        np.testing.assert_array_equal(here[state][0], ended)
        np.testing.assert_array_equal(debugger.batch(iteration).initial.get(state, ended), ended)
    assert_same(open_session(weather, {**options, "iteration": 2}))


def test_a_state_that_goes_on_cannot_be_set(weather: Path) -> None:
    from engine.debug.whatif import what_if

    debugger = open_session(weather, {"series": True, "window": 3, "stateful": True}).debugger
    with pytest.raises(InputError, match=r"a@0 is what iteration 0 ended in \(--stateful\)"):
        what_if(debugger, "a@0 = 0", iteration=1)
    assert what_if(debugger, "a@3 = 0", iteration=0).tape(1)["a"][0].tolist() == [[0.0] * 8]


def test_a_run_for_every_sample_of_a_batch(weather: Path) -> None:
    with pytest.raises(InputError, match="--stateful needs a sample for each of the 9 of a batch, and there are 4"):
        open_session(weather, {"series": True, "window": 3, "stateful": True, "batch-size": 9})


def test_a_text_is_a_series_already(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello world")
    data: Data = load(tmp_path / "a.txt", timesteps=5, stateful=True)
    assert data.X.shape == (2, 5, 8)
    assert "a series of characters already" in refusal(tmp_path / "a.txt", series=True)
