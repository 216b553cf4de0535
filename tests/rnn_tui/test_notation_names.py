"""The names of the notation that was chosen are accepted and printed by the commands; the engine's are accepted too."""

from __future__ import annotations

import pytest

from rnn_tui import cli


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main([*arguments, "--hidden", "3"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("theirs", "ours", "printed"),
    [
        ("dh@3[0,0]", "da@3[0,0]", "dh@3[0,0] = "),
        ("dhnext@3[0,0]", "da_next@3[0,0]", "dhnext@3[0,0] = "),
        ("dWhh[1,2]", "dWa[1,2]", "dWhh[1,2] = "),
        ("hraw@2[0,1]", "z@2[0,1]", "hraw@2[0,1] = "),
    ],
)
def test_explain(capsys: pytest.CaptureFixture[str], theirs: str, ours: str, printed: str) -> None:
    out = said(capsys, "explain", theirs, "--notation", "karpathy")
    assert out.startswith(printed)
    assert said(capsys, "explain", ours, "--notation", "karpathy") == out
    assert not {"da", "Wa", "dWa", "Wx"} & {word.split("@")[0].split("[")[0] for word in out.split()}
    plain = said(capsys, "explain", ours)
    assert plain.startswith(ours) and plain.split("=")[1].split()[0] == out.split("=")[1].split()[0]


def test_show_check_and_run(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "show", "dWhh", "--notation", "karpathy")
    assert out.startswith("dWhh  3×3")
    assert out.removeprefix("dWhh") == said(capsys, "show", "dWa").removeprefix("dWa")
    checked = said(capsys, "check", "--notation", "karpathy", "--seed", "1", "--activation", "tanh")
    assert "\nWxh " in checked and "\nWhh " in checked and "Wx[" not in checked
    assert said(capsys, "run", "--break", "norm(dh) > 0", "--notation", "karpathy").rstrip().endswith("dh")
    assert said(capsys, "run", "--break", "norm(da) > 0").rstrip().endswith("da")
