"""Every command that README and the pages of docs/ tell people to type is one, with files as they describe them; the reference is whole."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from docs.make_man import page as man_page
from docs.make_man import roff
from docs.make_reference import page
from engine.errors import InputError
from engine.files.options import OPTIONS
from engine.files.weights import write_weights
from engine.session import open_session
from rnn_tui import arguments, cli
from rnn_tui.keys.bindings import COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
PLACEHOLDERS = {
    "CELL": "'da@3[0,5]'",
    "EXPR": "'norm(da) < 1e-2'",
    "FILE.npz": "trace.npz",
    "-o WEIGHTS": "-o trained.npz",
    "--weights FILE": "--weights weights.npz",
    "FILE.toml": "mine.toml",
    "FILE.py": "mine.py",
    "NEW.py": "new.py",
    "NAME": "vanishing",
    "PLACE": "dz@7",
    "N": "2",
}
SLOW = ("doctor", "derive", "serve")
"""What they do is tested with programs that are made for it; serve would not end."""
MISSING = re.compile("needs a terminal|needs argcomplete")


def told(path: Path) -> list[str]:
    """The commands of a page: lines of its blocks, and what stands in backquotes."""
    text = path.read_text(encoding="utf-8")
    found: list[str] = []
    for n, part in enumerate(re.split(r"^```", text, flags=re.MULTILINE)):
        lines = part.splitlines()[1:] if n % 2 else re.findall(r"`(rnn-tui(?: [^`]*)?)`", part)
        found += [" ".join(line.split()) for line in lines if line.strip().startswith("rnn-tui")]
    return list(dict.fromkeys(found))


def typed(command: str) -> list[str]:
    """The words that are typed: placeholders filled, what may be left away left away."""
    command = re.sub(r" \[(?:-|[A-Z])[^\]]*\](?: (?=\])|)", "", command)
    for placeholder, text in PLACEHOLDERS.items():
        command = re.sub(rf"(?<![\w.]){re.escape(placeholder)}(?![\w.])", lambda _, text=text: text, command)
    return shlex.split(re.split(r" [#|] ", command)[0])[1:]


@pytest.fixture
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savetxt("my.csv", np.column_stack([rng.normal(size=(6, 10)), rng.integers(0, 2, 6)]), delimiter=",")
    Path("weather.csv").write_text("date,temp\n" + "".join(f"2021-03-{d:02},{d % 5}.5\n" for d in range(1, 29)))
    Path("poem.txt").write_text("shall i compare thee to a summer's day " * 4)
    Path("mine.toml").write_text('title = "one"\ndata = "vanishing"\n[[step]]\nsay = "look"\n')
    cells = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    Path("my_mgu.py").write_text(cells.split("```python\n")[1].split("```")[0], encoding="utf-8")
    for name in ("mine.py", "many_to_one.py", "karpathy_style.py", "column_caches.py"):
        Path(name).write_bytes((ROOT / "docs" / "mine.py").read_bytes())
    session = open_session(None, {})
    write_weights(Path("weights.npz"), session.debugger.start(0).parameters)
    np.savez("MINE.npz", **{f"d{name}": value for name, value in session.debugger.tape(0).gradients.items()})


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_of_a_page_is_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SLOW:
        monkeypatch.setattr(f"rnn_tui.commands.{arguments.COMMANDS[name].module}.{name}", lambda *_: 0)
    for command in told(path):
        words = typed(command)
        try:
            code = cli.main(words)
        except SystemExit as ended:  # --help
            code = ended.code
        except InputError as error:
            if words in [[name] for name in arguments.COMMANDS]:  # only its name is mentioned
                continue
            assert MISSING.search(str(error)), (command, words, str(error))
            continue
        assert code in (0, 1, 3), (command, words)


def test_commands_are_found_on_the_pages() -> None:
    readme = told(ROOT / "README.md")
    assert "rnn-tui doctor mine.py" in readme and "rnn-tui explain CELL [DATA] [--json]" in readme
    assert typed("rnn-tui explain CELL [DATA] [--json]") == ["explain", "da@3[0,5]"]
    assert typed("rnn-tui show da@3 [DATA] --set 'Wa[2,3]=0.5'") == ["show", "da@3", "--set", "Wa[2,3]=0.5"]
    assert sum(len(told(path)) for path in PAGES) > 40


def test_the_reference_has_every_command_option_and_key() -> None:
    text = page()
    for name in arguments.COMMANDS:
        assert f"### rnn-tui {name}\n" in text
    for name in OPTIONS:
        assert f"`--{name}`" in text
    for command in COMMANDS:
        assert command.back or f"`{command.footer_keys}`" in text, command.action


def test_the_man_page_has_every_command_option_and_key() -> None:
    text = man_page()
    told = (*arguments.COMMANDS, *(f"--{name}" for name in OPTIONS), *(c.footer_keys for c in COMMANDS if not c.back))
    for name in told:
        assert roff(name) in text, name
    assert not re.search(r"^\.(?!(TH|SH|SS|TP|B)\b)", text, re.MULTILINE)  # a line that roff would take as a request
