"""A command that is almost right is answered with the right one."""

from __future__ import annotations

import pytest

from engine.errors import InputError
from rnn_tui.cli import main


@pytest.mark.parametrize(("typed", "meant"), [("shw", "show"), ("tracee", "trace"), ("chek", "check")])
def test_a_misspelt_command(typed: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"no command and no file {typed}.*did you mean {meant}"):
        main([typed, "da"])


def test_an_example_is_meant_where_its_name_is_nearer_than_any_command() -> None:
    with pytest.raises(InputError, match=r"no example named explodin; did you mean exploding\?"):
        main(["explodin"])
