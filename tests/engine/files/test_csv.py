"""CSV files: every rule of the format, every refusal with its place, and nothing but InputError for damaged ones."""

from __future__ import annotations

import csv as csv_module
import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.files import cells
from engine.files.data import Data, load
from tests.engine.files import is_clean


class Reader:
    """Writes a text into a file of a fresh folder and loads it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "x.csv"

    def __call__(
        self,
        content: str | bytes,
        timesteps: int | None = None,
        loss: str | None = None,
        allow_nan: bool = False,
        predict: str | None = None,
    ) -> Data:
        self.path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load(self.path, timesteps=timesteps, predict=predict, loss=loss, allow_nan=allow_nan)

    def refusal(
        self, content: str | bytes, timesteps: int | None = None, loss: str | None = None, predict: str | None = None
    ) -> str:
        with pytest.raises(InputError) as caught:
            self(content, timesteps, loss, predict=predict)
        return str(caught.value)


@pytest.fixture(name="read")
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


# --- headers and columns


def test_without_header_the_last_column_is_the_target(read: Reader) -> None:
    data = read("1,2,3,0\n4,5,6,1\n")
    np.testing.assert_array_equal(data.X, [[[1], [2], [3]], [[4], [5], [6]]])
    assert data.y.tolist() == [0, 1]
    assert data.table is not None
    assert (data.table.header, data.table.skip, data.table.target, data.table.features) == (False, 0, 3, (0, 1, 2))
    assert data.lengths is None
    assert data.name == "x"
    assert data.path == read.path


@pytest.mark.parametrize("name", ["label", "target", "y", "Label", "TARGET", "Y", " y "])
@pytest.mark.parametrize("column", [0, 1, 3])
def test_a_named_target_column_is_found_anywhere(read: Reader, name: str, column: int) -> None:
    names, cells = ["1", "2", "3"], ["7", "8", "9"]  # names that look like numbers
    names.insert(column, name)
    cells.insert(column, "5")
    data = read(f"{','.join(names)}\n{','.join(cells)}\n")
    assert data.X.ravel().tolist() == [7, 8, 9]
    assert data.classes == ("5",)
    assert data.table is not None
    assert (data.table.header, data.table.skip, data.table.target) == (True, 1, column)


def test_label_is_preferred_to_target_and_y(read: Reader) -> None:
    data = read("y,target,label\n1,2,3\n")
    assert data.X.ravel().tolist() == [1, 2]
    assert data.classes == ("3",)


def test_a_word_before_the_last_cell_makes_a_header(read: Reader) -> None:
    assert read("a,2,3\n1,2,3\n").X.shape == (1, 2, 1)


def test_a_word_in_the_last_cell_only_is_a_class(read: Reader) -> None:
    data = read("1,2,up\n3,4,down\n")
    assert data.X.shape == (2, 2, 1)
    assert data.classes == ("down", "up")


def test_a_first_sample_that_is_short_is_no_header(read: Reader) -> None:
    data = read("1,,0\n1,2,1\n")
    assert data.X.shape == (2, 2, 1)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_delimiters(read: Reader, mark: str) -> None:
    data = read(f"t1{mark}t2{mark}label\n1{mark}2.5{mark}a\n")
    assert data.X.ravel().tolist() == [1, 2.5]
    assert data.table is not None
    assert data.table.delimiter == mark


def test_delimiters_within_quotes_do_not_count(read: Reader) -> None:
    data = read('"a,b,c,d";"e";label\n1;2;"x,y"\n')
    assert data.classes == ("x,y",)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_byte_order_mark_blanks_and_blank_lines(read: Reader, end: str) -> None:
    data = read("\ufeff" + end.join(["", "label, t1 ,t2", "  ", "0, 1 ,2", "", "1,3,4"]))
    assert data.X[:, :, 0].tolist() == [[1, 2], [3, 4]]
    assert data.table is not None
    assert data.table.skip == 3


def test_the_layout_is_enough_to_read_the_file_again(read: Reader) -> None:
    data = read("a;label;b\n1.5;0;2\n3;1;-4e-1\n")
    layout = data.table
    assert layout is not None
    again = np.loadtxt(data.path, delimiter=layout.delimiter, skiprows=layout.skip)
    np.testing.assert_array_equal(again[:, layout.features], data.X[:, :, 0])
    np.testing.assert_array_equal(again[:, layout.target], data.y)


# --- time steps


def test_timesteps_fold_the_columns_time_first(read: Reader) -> None:
    data = read("1,2,3,4,5,6,0\n", timesteps=3)
    np.testing.assert_array_equal(data.X, [[[1, 2], [3, 4], [5, 6]]])


def test_timesteps_that_do_not_divide_are_told_which_would(read: Reader) -> None:
    message = read.refusal(",".join(map(str, range(13))), timesteps=5)
    assert "x.csv" in message
    assert "12 columns: 1, 2, 3, 4, 6 or 12 time steps" in message
    assert "--timesteps" in message


def test_at_most_a_dozen_time_steps_are_offered(read: Reader) -> None:
    message = read.refusal(",".join(["1"] * 5041), timesteps=11)
    assert "columns: 4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16 or 18 time steps" in message


@pytest.mark.parametrize("timesteps", [0, -1])
def test_timesteps_must_be_positive(read: Reader, timesteps: int) -> None:
    assert "--timesteps must be 1 or more" in read.refusal("1,2\n", timesteps=timesteps)


# --- short samples


def test_empty_trailing_cells_shorten_a_sample(read: Reader) -> None:
    data = read("1,2,3,0\n4,,,1\n5,6,,0\n")
    assert data.lengths is not None
    assert data.lengths.tolist() == [3, 1, 2]
    assert data.lengths.dtype == np.int64
    assert data.X[1, :, 0].tolist() == [4, 0, 0]


def test_empty_trailing_cells_after_a_leading_target(read: Reader) -> None:
    data = read("label,t1,t2\n0,1,\n1,2,3\n")
    assert data.lengths is not None
    assert data.lengths.tolist() == [1, 2]


def test_lengths_count_steps_not_cells(read: Reader) -> None:
    data = read("1,2,3,4,0\n1,2,,,1\n", timesteps=2)
    assert data.lengths is not None
    assert data.lengths.tolist() == [2, 1]


def test_a_column_that_all_samples_leave_empty_still_counts(read: Reader) -> None:
    data = read("t1,t2,label\n1,,0\n2,,1\n")
    assert data.X.shape == (2, 2, 1)
    assert data.lengths is not None
    assert data.lengths.tolist() == [1, 1]


def test_a_sample_that_ends_within_a_step_is_refused(read: Reader) -> None:
    message = read.refusal("1,2,3,4,0\n1,2,3,,1\n", timesteps=2)
    assert "row 2 has 3 values, not a whole number of time steps of 2 values" in message


def test_a_sample_without_values_is_refused(read: Reader) -> None:
    assert "row 2 has no values" in read.refusal("1,2,0\n,,1\n")


def test_a_gap_is_refused(read: Reader) -> None:
    message = read.refusal("1,2,3,0\n1,,3,0\n")
    assert "row 2, column 2 is empty; only the last cells of a sample may be empty" in message


def test_ragged_rows_are_refused(read: Reader) -> None:
    message = read.refusal("t1,t2,t3,label\n1,2,3,0\n\n1,2,0\n")
    assert "row 4 has 3 cells, the first has 4" in message
    assert "leave cells empty" in message
    assert "row 2 has 1 cell," in read.refusal("1,2,3\n5\n")


# --- bad cells and bad files


def test_a_bad_cell_is_named_by_row_column_and_header(read: Reader) -> None:
    message = read.refusal("t1,t2,label\n\n1,2,0\n3,oops,1\n")
    assert message.startswith("x.csv: row 4, column 2 (t2) holds 'oops', which is not a number")


def test_decimal_commas_between_semicolons_are_points(read: Reader) -> None:
    data = read("t1;t2;y\n1,5;-2,25;0,5\n3;,5;1,5e1\n")
    np.testing.assert_array_equal(data.X[..., 0], [[1.5, -2.25], [3, 0.5]])
    np.testing.assert_array_equal(data.y.ravel(), [0.5, 15])
    assert "a comma in a number is its decimal point" in data.said
    assert "a comma in a number is its decimal point" not in read("a;b;y\n1.5;2;0\n2;3;1\n").said


def test_a_decimal_comma_is_told(read: Reader) -> None:
    message = read.refusal("a;b;label\n1,5;2;yes, no\n1;2;no\n")
    assert "row 2, column 1 (a) holds '1,5'" in message
    assert "with a point" in message


def test_a_leading_text_target_without_header_is_told_the_remedy(read: Reader) -> None:
    message = read.refusal("cat,1,2\ndog,3,4\n")
    assert "row 2, column 1 (cat) holds 'dog'" in message
    assert "name the column label if it is the target" in message
    message = read.refusal("1,2,3\ndog,3,4\n")
    assert "needs a header that names it label" in message


@pytest.mark.parametrize("cell", ["1_000", "١٢", "0x10", "1e", "--1", "1 2", "+", ".", "True"])
def test_what_numpy_would_not_read_is_no_number(read: Reader, cell: str) -> None:
    assert "row 2, column 1 holds" in read.refusal(f"1,2,0\n{cell},2,0\n")


@pytest.mark.parametrize("cell", ["nan", "inf", "-Infinity", "1e999"])
def test_what_is_not_finite_is_refused_unless_allowed(read: Reader, cell: str) -> None:
    content = f"1,2,0\n3,{cell},1\n"
    message = read.refusal(content)
    assert "row 2, column 2 is" in message
    assert "--allow-nan" in message
    assert not np.isfinite(read(content, allow_nan=True).X[1, 1, 0])


def test_targets_that_are_not_finite_are_refused_unless_allowed(read: Reader) -> None:
    content = "1,2,0.5\n3,4,nan\n"
    assert "row 2, column 3 is nan" in read.refusal(content)
    assert np.isnan(read(content, allow_nan=True).y[1])


def test_a_number_that_is_not_finite_is_no_class_unless_allowed(read: Reader) -> None:
    content = "1,2\n3,nan\n"
    assert "row 2, column 2 is nan; write a finite number, or let it in with --allow-nan" in read.refusal(
        content, loss="cross-entropy"
    )
    assert read(content, loss="cross-entropy", allow_nan=True).classes == ("2", "nan")
    assert read("1,nan\n2,bread\n", loss="cross-entropy").classes == ("bread", "nan")  # among words it is one


@pytest.mark.parametrize("content", ["", "\n\n", "  \n", "\ufeff"])
def test_an_empty_file_is_refused(read: Reader, content: str) -> None:
    assert "x.csv is empty" in read.refusal(content)


def test_a_header_alone_is_refused(read: Reader) -> None:
    assert "a header and nothing below it" in read.refusal("t1,t2,label\n\n")


def test_one_column_is_refused(read: Reader) -> None:
    message = read.refusal("1\n2\n")
    assert "one column only" in message
    assert "commas, semicolons or tabs" in message


def test_two_target_columns_are_refused(read: Reader) -> None:
    assert "two columns are named y" in read.refusal("y,x,y\n1,2,3\n")


def test_an_empty_target_is_refused(read: Reader) -> None:
    assert "row 2, column 3: the target is empty" in read.refusal("1,2,a\n3,4,\n")


def test_bytes_that_are_not_utf8_are_placed(read: Reader) -> None:
    message = read.refusal(b"1,2,a\n3,4,\xe9\n")
    assert "row 2 is not UTF-8" in message
    assert "save the file as UTF-8" in message
    assert "not UTF-8" in read.refusal("1,2,a\n".encode("utf-16"))


def test_a_nul_byte_is_placed(read: Reader) -> None:
    assert "row 2 contains a NUL byte" in read.refusal(b"1,2,a\n3,\0,b\n")


def test_open_quotes_and_long_cells_are_placed(read: Reader) -> None:
    assert "row 2 cannot be split into cells" in read.refusal('1,2,a\n3,4,"b\n5,6,c\n')
    assert "row 2, column 3 has more than 1000 characters" in read.refusal(f"1,2,a\n3,4,{'b' * 2000}\n")
    assert "row 2 cannot be split into cells" in read.refusal(f"1,2,a\n3,4,{'b' * 200_000}\n")


def test_rows_after_a_cell_with_line_breaks_keep_their_numbers(read: Reader) -> None:
    assert "row 4, column 1" in read.refusal('1,2,0\n3,4,"a\nb"\nx,6,c\n')


def test_files_above_the_limit_are_refused(read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "SIZE_LIMIT", 8)
    assert read("1,2,3,4\n").X.shape == (1, 3, 1)
    assert "larger than 8 bytes" in read.refusal("1,2,3,45\n")


# --- targets


def test_text_targets_are_classes_in_order(read: Reader) -> None:
    data = read("1,b\n2,a\n3,b\n4,10\n")
    assert data.classes == ("10", "a", "b")
    assert data.y.tolist() == [2, 1, 2, 0]
    assert data.y.dtype == np.int64
    assert data.table is not None
    assert not data.table.numeric_target


def test_integer_targets_are_classes_sorted_as_numbers(read: Reader) -> None:
    data = read("1,10\n2,9\n3,-1\n4,+9\n")
    assert data.classes == ("-1", "9", "10")
    assert data.y.tolist() == [2, 1, 0, 1]
    assert data.table is not None
    assert data.table.numeric_target


def test_decimal_targets_are_regression(read: Reader) -> None:
    data = read("1,10\n2,9.5\n")
    assert data.classes == ()
    assert data.y.dtype == np.float64
    assert data.y.tolist() == [10, 9.5]


def test_digits_beyond_int64_are_numbers(read: Reader) -> None:
    assert read("1,123456789012345678901234567890\n").y.tolist() == [123456789012345678901234567890.0]


def test_one_word_among_decimal_numbers_is_refused(read: Reader) -> None:
    message = read.refusal("1,0.5\n2,o.7\n")
    assert "row 2, column 2: 'o.7' is not a number while other targets are decimal numbers" in message
    assert read("1,0.5\n2,o.7\n", loss="cross-entropy").classes == ("0.5", "o.7")


def test_the_loss_decides(read: Reader) -> None:
    assert read("1,10\n2,9\n", loss="squared").y.tolist() == [10.0, 9.0]
    assert read("1,10\n2,9\n", loss="squared").classes == ()
    assert read("1,1.0\n2,0.5\n", loss="cross-entropy").classes == ("0.5", "1")
    message = read.refusal("1,10\n2,nine\n", loss="squared")
    assert "row 2, column 2: 'nine' is not a number" in message
    assert "--loss squared" in message


def test_binary_needs_two_classes_or_zero_and_one(read: Reader) -> None:
    assert read("1,no\n2,yes\n", loss="binary").classes == ("no", "yes")
    assert read("1,5\n2,3\n", loss="binary").y.tolist() == [1, 0]
    ones = read("1,1\n2,1.0\n", loss="binary")
    assert (ones.classes, ones.y.tolist(), ones.y.dtype) == (("0", "1"), [1, 1], np.dtype(np.int64))
    message = read.refusal("1,a\n2,b\n3,c\n", loss="binary")
    assert "the targets have 3 (a, b, c)" in message
    assert "choose --loss cross-entropy" in message


def test_an_unknown_loss_or_place_of_the_read_out_is_refused(read: Reader) -> None:
    assert "--loss is one of cross-entropy, binary, squared" in read.refusal("1,2\n", loss="hinge")
    assert "--predict is one of last, every" in read.refusal("1,2\n", predict="first")


def test_one_row_and_one_class(read: Reader) -> None:
    data = read("1,2,7\n")
    assert (data.X.shape, data.y.tolist(), data.classes) == ((1, 2, 1), [0], ("7",))
    data = read("a,b,y1,y2\n1,2,up,up\n")
    assert (data.X.shape, data.y.tolist(), data.classes) == ((1, 2, 1), [[0, 0]], ("up",))
    assert read("1,2,0.5\n").y.tolist() == [0.5]


def test_a_target_a_step(read: Reader) -> None:
    data = read("t1,t2,t3,y1,y2,y3\n1,2,3,a,b,a\n4,5,,b,b,\n")
    assert data.y.tolist() == [[0, 1, 0], [1, 1, 0]]
    assert data.classes == ("a", "b")
    assert data.lengths is not None
    assert data.lengths.tolist() == [3, 2]
    assert data.table is not None
    assert data.table.targets == (3, 4, 5)
    assert data.table.features == (0, 1, 2)


def test_the_targets_decide_where_the_read_out_is(read: Reader) -> None:
    a_step, a_sample = "a,b,y1,y2\n1,2,0,1\n", "a,b,label\n1,2,0\n"
    assert read(a_step).options["predict"] == read(a_step, predict="every").options["predict"] == "every"
    assert read(a_sample).options["predict"] == read(a_sample, predict="last").options["predict"] == "last"
    message = read.refusal(a_step, predict="last")
    assert "x.csv: the header names a target a step (y1..y2), and --predict last needs one a sample" in message
    assert "or choose --predict every" in message
    message = read.refusal(a_sample, predict="every")
    assert "x.csv has one target a sample, and --predict every needs one a step" in message
    assert "name them y1..y2 in the header, or choose --predict last" in message


def test_step_targets_of_every_loss(read: Reader) -> None:
    content = "t1,t2,t3,y1,y2,y3\n1,2,3,0,1,0\n4,,,1,,\n"
    for loss, y in (("cross-entropy", [[0, 1, 0], [1, 0, 0]]), ("binary", [[0, 1, 0], [1, 0, 0]])):
        assert read(content, loss=loss).y.tolist() == y
        assert read(content, loss=loss).classes == ("0", "1")
    squared = read(content, loss="squared")
    assert (squared.y.dtype, squared.classes) == (np.dtype(np.float64), ())
    assert "row 2, column 4 (y1) is nan" in read.refusal("a,b,c,y1,y2,y3\n1,2,3,nan,1,0.5\n")


def test_step_targets_with_several_values_a_step(read: Reader) -> None:
    data = read("a1,b1,a2,b2,y1,y2\n1,2,3,4,0,1\n5,6,,,1,\n")
    assert data.X.tolist() == [[[1, 2], [3, 4]], [[5, 6], [0, 0]]]
    assert data.lengths is not None
    assert data.lengths.tolist() == [2, 1]
    assert data.y.tolist() == [[0, 1], [1, 0]]


def test_a_step_target_after_the_end_is_refused(read: Reader) -> None:
    message = read.refusal("a,b,y1,y2\n1,2,0,1\n1,,0,1\n")
    assert "row 3, column 4 (y2) is a target after the sample's last step; empty it" in message


def test_step_targets_are_ordered_by_number_and_decide_the_time_steps(read: Reader) -> None:
    data = read("y2,y1,a,b,c,d\n0.5,1.5,1,2,3,4\n")
    assert data.X.shape == (1, 2, 2)
    assert data.y.tolist() == [[1.5, 0.5]]


def test_step_targets_must_match_the_time_steps(read: Reader) -> None:
    header = "a,b,c,d,y1,y2\n1,2,3,4,0,1\n"
    message = read.refusal(header, timesteps=4)
    assert "2 targets (y1..y2) for 4 time steps" in message
    assert "--timesteps 2" in message
    assert "a column y1 is missing" in read.refusal("a,b,y2,y3\n1,2,3,4\n")
    assert "two columns are named y1" in read.refusal("a,b,y1,Y1\n1,2,3,4\n")


def test_a_step_target_within_the_sample_must_not_be_empty(read: Reader) -> None:
    assert "row 2, column 3 (y1): the target is empty" in read.refusal("a,b,y1,y2\n1,2,,1\n")


def test_a_series_called_y1_to_yn_is_no_targets(read: Reader) -> None:
    data = read("y1,y2,y3\n1,2,0\n3,4,1\n")
    assert data.X.shape == (2, 2, 1)
    assert data.y.tolist() == [0, 1]
    assert read("y1,y2,label\n1,2,0\n").X.shape == (1, 2, 1)


# --- safety


HOSTILE = "\x1b]52;c;eA==\x07\x9b31m\u202e[@click=app.quit]\u200b"


def test_hostile_labels_come_out_clean(read: Reader) -> None:
    data = read(f'1,2,"{HOSTILE}"\n3,4,b\n')
    assert data.classes == ("␛]52;c;eA==␇\ufffd31m\ufffd[@click=app.quit]\ufffd", "b")


@pytest.mark.parametrize(
    "content",
    [f"1,2,0\n{HOSTILE},2,0\n", f"{HOSTILE},label\nx,1\n", f"1,{HOSTILE}\n2,0.5\n", f"1,0\n2,{HOSTILE * 200}\n"],
)
def test_hostile_cells_and_headers_are_clean_in_messages(read: Reader, content: str) -> None:
    message = read.refusal(content, loss="squared")
    assert is_clean(message)
    assert len(message) < 400


def test_hostile_file_names_are_clean(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2Jx\u202e.csv"
    path.write_text("1,2\n")
    assert load(path).name == "␛[2Jx\ufffd"
    path.write_text("")
    with pytest.raises(InputError, match="␛") as caught:
        load(path)
    assert is_clean(str(caught.value))


def test_arrays_are_read_only(read: Reader) -> None:
    data = read("1,2,0\n1,,1\n")
    for array in (data.X, data.y, data.lengths):
        assert array is not None
        assert not array.flags.writeable


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    path.write_text("1,2\n")
    with pytest.raises(
        InputError, match=r"x\.xlsx is of no known kind.*\.csv, \.tsv, \.npz, \.npy, \.parquet, \.txt or \.toml"
    ):
        load(path)


@pytest.mark.parametrize("suffix", [".npy.gz", ".npz.gz", ".parquet.gz", ".TOML.GZ"])
def test_only_text_is_read_compressed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(gzip.compress(b"1,2"))
    with pytest.raises(
        InputError, match=r": only text is read compressed \(\.csv, \.tsv, \.txt\); unpack it with gunzip"
    ):
        load(path)


def test_a_file_that_may_not_be_read(read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    read("1,2\n")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"x\.csv cannot be read \(Permission denied\)"):
        load(read.path)


# --- properties

FINITE = st.floats(allow_nan=False, allow_infinity=False)
LABELS = st.text(st.characters(min_codepoint=33, exclude_categories=["C", "Z"]), min_size=1, max_size=20)
RELAXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[float]], list[str], str, bool]:
    T = draw(st.integers(1, 6))
    values = draw(st.lists(st.lists(FINITE, min_size=1, max_size=T), min_size=1, max_size=8))
    labels = draw(st.lists(LABELS, min_size=len(values), max_size=len(values)))
    labels = [f"c{label}" for label in labels]  # never a number
    return values, labels, draw(st.sampled_from(",;\t")), draw(st.booleans())


@RELAXED
@given(tables())
def test_a_table_written_as_csv_is_read_back_equal(
    tmp_path: Path, table: tuple[list[list[float]], list[str], str, bool]
) -> None:
    values, labels, mark, header = table
    T = max(map(len, values))
    text = io.StringIO()
    writer = csv_module.writer(text, delimiter=mark)
    # Without a header the first row alone shows the delimiter and must not look like one.
    writer.writerows([[*(f"t{t}" for t in range(T)), "label"]] if header else [["0"] * T + ["c"]])
    writer.writerows(
        [*map(repr, row), *[""] * (T - len(row)), label] for row, label in zip(values, labels, strict=True)
    )
    if not header:
        values, labels = [[0.0] * T, *values], ["c", *labels]
    data = Reader(tmp_path)(text.getvalue())
    for index, row in enumerate(values):
        assert data.X[index, : len(row), 0].tolist() == row
        assert not data.X[index, len(row) :].any()
    assert [data.classes[index] for index in data.y] == labels
    assert (data.lengths is None) == all(len(row) == T for row in values)
    if data.lengths is not None:
        assert data.lengths.tolist() == [len(row) for row in values]


@RELAXED
@given(st.binary(max_size=200) | st.text('0123456789.,;\t\n\r"-eyY1label\0\x1b ', max_size=200).map(str.encode))
def test_any_bytes_are_data_or_an_input_error(tmp_path: Path, content: bytes) -> None:
    try:
        data = Reader(tmp_path)(content)
    except InputError as error:
        assert is_clean(str(error))
    else:
        assert data.X.ndim == 3
        assert np.isfinite(data.X).all()
        assert len(data.X) == len(data.y)
