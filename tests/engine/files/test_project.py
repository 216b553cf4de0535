"""Project files: keys, options and their types, files kept inside the folder, and the built-in examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.files.data import load
from engine.files.options import OPTIONS
from engine.files.project import Project, read_project
from tests.engine.files import is_clean

RELAXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
OK = 'data = "x.csv"\n'


@pytest.fixture(name="folder")
def project_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "x.csv").write_text("1,2,3,4,0\n5,6,7,8,1\n")
    (folder / "w.npz").write_bytes(b"")
    (tmp_path / "outside.csv").write_text("1,0\n")
    return folder


def project(folder: Path, text: str | bytes) -> Project:
    path = folder / "p.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_project(path)


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(InputError) as caught:
        project(folder, text)
    assert "p.toml" in str(caught.value)
    assert is_clean(str(caught.value))
    return str(caught.value)


def test_everything_a_project_may_say(folder: Path) -> None:
    found = project(
        folder,
        """
        data = "x.csv"
        title = "A title"
        look_for = '''
        two
        lines'''
        breakpoints = ["norm(da) < 1e-6"]
        watches = ["a[0,0]"]
        [options]
        activation = "relu"
        hidden = 3
        init-scale = 2
        allow-nan = true
        """,
    )
    assert found.data == folder.resolve() / "x.csv"
    assert (found.title, found.look_for) == ("A title", "two lines")
    assert (found.breakpoints, found.watches) == (("norm(da) < 1e-6",), ("a[0,0]",))
    assert found.options == {
        "activation": "relu",
        "hidden": 3,
        "init-scale": 2.0,
        "allow-nan": True,
    }
    assert isinstance(found.options["init-scale"], float)


def test_a_project_opens_as_data_with_its_options(folder: Path) -> None:
    project(folder, OK + 'title = "T"\nwatches = ["L"]\n[options]\ntimesteps = 2\n')
    data = load(folder / "p.toml")
    assert (data.name, data.title, data.watches) == ("p", "T", ("L",))
    assert data.path == folder.resolve() / "x.csv"
    assert data.X.shape == (2, 2, 2)
    assert data.options == {"timesteps": 2, "predict": "last"}
    over = load(folder / "p.toml", timesteps=4, loss="squared")
    assert over.X.shape == (2, 4, 1)
    assert (over.classes, over.y.dtype) == ((), np.float64)


def test_a_project_says_where_the_read_out_is(folder: Path) -> None:
    (folder / "x.csv").write_text("a,b,y1,y2\n1,2,0,1\n")
    project(folder, OK + '[options]\npredict = "every"\n')
    assert load(folder / "p.toml").y.tolist() == [[0, 1]]
    project(folder, OK + '[options]\npredict = "last"\n')
    with pytest.raises(InputError, match="--predict last needs one a sample"):
        load(folder / "p.toml")
    assert load(folder / "p.toml", predict="every").options["predict"] == "every"


def test_a_project_may_let_nan_in(folder: Path) -> None:
    (folder / "x.csv").write_text("nan,0\n")
    project(folder, OK + "[options]\nallow-nan = true\n")
    assert np.isnan(load(folder / "p.toml").X).all()


def test_data_in_a_folder_below(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "y.csv").write_text("1,0\n")
    assert project(folder, 'data = "sub/y.csv"').data == folder.resolve() / "sub" / "y.csv"


@pytest.mark.parametrize(
    "name", ["../outside.csv", "sub/../../outside.csv", "/etc/passwd", "C:\\\\x.csv", "..\\\\outside.csv", "link.csv"]
)
def test_files_outside_the_folder_are_refused(folder: Path, name: str) -> None:
    (folder / "link.csv").symlink_to("../outside.csv")
    message = refusal(folder, f'data = "{name}"')
    assert "data = " in message
    assert "leads out of the project's folder; put the file inside it" in message


def test_a_link_within_the_folder_is_followed(folder: Path) -> None:
    (folder / "link.csv").symlink_to("x.csv")
    assert project(folder, 'data = "link.csv"').data == folder.resolve() / "x.csv"


def test_links_in_a_circle_missing_files_and_folders_are_refused(folder: Path) -> None:
    (folder / "a.csv").symlink_to("b.csv")
    (folder / "b.csv").symlink_to("a.csv")
    for name in ("a.csv", "none.csv", ".", "x" * 5000):
        assert "is not a file in the project's folder" in refusal(folder, f'data = "{name}"')


@pytest.mark.parametrize("value", ["3", '""', "[]", '"a\\u0000b"'])
def test_data_must_be_a_name(folder: Path, value: str) -> None:
    assert "data must be the name of a file" in refusal(folder, f"data = {value}")


def test_a_project_may_not_name_a_project(folder: Path) -> None:
    assert "data names another project, p.toml" in refusal(folder, 'data = "p.toml"')


def test_data_is_needed(folder: Path) -> None:
    assert "the key data is missing" in refusal(folder, 'title = "x"')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('titel = "x"', "unknown key titel; did you mean title?"),
        ('"" = 1', "unknown key ; known are data, title"),
        ("hidden = 3", "unknown key hidden; model options go into the table [options]"),
        ("zzz = 3", "known are data, title, look_for, options, breakpoints, watches"),
        ("title = 3", 'title must be text in quotes: title = "..."'),
        ("look_for = []", "look_for must be text"),
        ('breakpoints = "x"', "breakpoints must be a list of texts"),
        ('watches = ["x", 3]', "watches must be a list of texts"),
        ("options = 3", "options must be a table: a line [options]"),
        ("[options]\nhiden = 3", "unknown option hiden under [options]; did you mean hidden?"),
        ("[options]\ninit_scale = 3", "did you mean init-scale"),
        ("[options]\nmemory-limits = 3", "did you mean memory-limit?"),
        ('[options]\n"\\u001b[2J" = 3', "unknown option ␛[2J"),
    ],
)
def test_unknown_and_mistyped_keys_are_refused(folder: Path, text: str, words: str) -> None:
    assert words in refusal(folder, OK + text)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ('cell = "my.py"', "cell = 'my.py' under [options] must be one of rnn"),
        ("cell = []", "must be one of rnn"),
        ('activation = "ReLU"', "one of tanh, relu, sigmoid, identity"),
        ("hidden = 0", "hidden = 0 under [options] must be a whole number, 1 or more"),
        ("hidden = 2.5", "a whole number, 1 or more"),
        ("hidden = true", "hidden = True under [options] must be a whole number"),
        ('timesteps = "3"', "a whole number"),
        (f"hidden = {10**300}", "a whole number"),
        ("seed = -1", "seed = -1 under [options] must be a whole number, 0 or more"),
        ("lr = 0", "lr = 0 under [options] must be a number above 0"),
        ("lr = nan", "a number above 0"),
        ("lr = inf", "a number above 0"),
        (f"lr = {10**400}", "a number above 0"),
        ("lr = true", "a number above 0"),
        ("clip-norm = 0", "clip-norm = 0 under [options] must be a number above 0"),
        ("truncate = 0", "truncate = 0 under [options] must be a whole number, 1 or more"),
        ("batch-size = 1.5", "a whole number, 1 or more"),
        ('truncate-by = "step"', "one of window, chunk"),
        ('predict = "first"', "one of last, every"),
        ("allow-nan = 1", "must be true or false"),
        ("lr = 2020-01-01", "a number above 0"),
        ("memory-limit = 2000", "a size, like 500M or 2G"),
        ('memory-limit = "much"', "a size, like 500M or 2G"),
    ],
)
def test_option_values_are_checked(folder: Path, option: str, words: str) -> None:
    assert words in refusal(folder, f"{OK}[options]\n{option}")


def test_every_choice_is_accepted(folder: Path) -> None:
    for name, kind in OPTIONS.items():
        for choice in kind.choices:
            assert project(folder, f'{OK}[options]\n{name} = "{choice}"').options == {name: choice}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('data = "x.csv', "is not valid TOML: "),
        ("data = 1\ndata : 2", "at line 2"),
        ("data = 1\ndata = 2", "is not valid TOML"),
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("a = " + "1" * 5000, "is not valid TOML"),
        (b"\xff", "row 1 is not UTF-8"),
        ("#" * (1 << 20) + "\n", "larger than 1 MiB"),
    ],
)
def test_broken_files_are_refused(folder: Path, text: str | bytes, words: str) -> None:
    assert words in refusal(folder, text)


def test_texts_come_out_clean(folder: Path) -> None:
    found = project(folder, OK + 'title = "\\u001b]0;x\\u0007"\nlook_for = "\\u202e"\nwatches = ["\\u009b"]')
    assert (found.title, found.look_for, found.watches) == ("␛]0;x␇", "\ufffd", ("\ufffd",))


@RELAXED
@given(
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: (OK + text).encode("utf-8", "replace"))
    | st.lists(st.sampled_from(["data", "title", "[options]", "hidden", "=", '"x.csv"', "\n", "3", "[", "]", ".", "{"]))
    .map(" ".join)
    .map(str.encode)
)
def test_any_bytes_are_a_project_or_an_input_error(folder: Path, content: bytes) -> None:
    try:
        found = project(folder, content)
    except InputError as error:
        assert is_clean(str(error))
    else:
        assert found.data == folder.resolve() / "x.csv"


def test_a_size_is_read_as_on_the_command_line(folder: Path) -> None:
    assert project(folder, f'{OK}[options]\nmemory-limit = "500M"').options == {"memory-limit": 500 << 20}
