"""Run in a copy of the project to which every example of CONTRIBUTING.md has been added: prints what goes wrong, by section, as JSON."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np

from engine.codegen import program_text
from engine.doctor.mending.trials import trying
from engine.doctor.report.report import Report
from engine.doctor.run import launch
from engine.explain.gradcheck import check
from engine.explain.line_parts import writer_for
from engine.explain.terms import explain
from engine.language.functions import FUNCTIONS
from engine.recording.measures import accuracy
from engine.recording.tape import Tape
from engine.session import Session, open_session
from rnn_tui import cli
from tests.engine.doctor.reports import examine
from tests.engine.doctor.warm_runs import WarmRuns

Array = np.ndarray[Any, Any]


def printed(*arguments: str) -> str:
    """What a command says, on either stream."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        cli.main(arguments)
    return out.getvalue()


def offered(option: str, name: str) -> None:
    """The command line offers it."""
    os.environ["COLUMNS"] = "1000"  # no line of the help is broken
    names = printed("check", "--help").split(f"--{option} ")[1].split()[0].rstrip("]").split("|")
    assert name in names, f"--{option} offers {names}"


def listing(session: Session, notation: str = "ng") -> list[str]:
    writer = writer_for(session.debugger.plan, notation)
    return [writer.line(line) for line in session.debugger.program.lines]


def ran(session: Session) -> dict[str, Any]:
    """The variables of the printed program after it ran."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(program_text(session), "<printed>", "exec"), names)
    return names


def independent(tape: Tape) -> tuple[float, dict[str, Array]]:
    """Loss and gradients by autograd: the equations' own text and the functions' printed text as NumPy, none of the derivatives."""
    network = tape.plan.network
    scope: dict[str, Any] = {"np": anp}
    for name, function in FUNCTIONS.items():
        exec(function.definition, scope)
        if function.elementwise and name not in scope:
            scope[name] = eval(f"lambda u: {function.source.format('u')}", scope)

    def loss(parameters: Mapping[str, Any]) -> Any:
        states: dict[str, Any] = {f"{s}_prev": tape[s][0] for s in network.table.states}
        values: dict[str, Any] = {}
        for x in tape["x"]:
            values = {**scope, **parameters, **states, "x": x, "y": tape["y"]}
            for source in network.table.equations:
                target, right = source.format(activation=network.activation).split(" = ", 1)
                values[target] = eval(right, values)
            states = {f"{s}_prev": values[s] for s in network.table.states}
        logits, right = network.head.equations[0].format(output=network.table.output).split(" = ", 1)
        values[logits] = eval(right, values)
        entries = eval(network.head.loss, values)
        return anp.mean(entries)

    parameters = dict(tape.parameters)
    return float(loss(parameters)), autograd.grad(loss)(parameters)


def whole(**options: Any) -> Session:
    """A session with what was added: numbers against autograd, gradient check, printed program, explanations."""
    session = open_session(None, {"hidden": 3, **options})
    debugger, tape = session.debugger, session.debugger.tape(0)
    value, gradients = independent(tape)
    np.testing.assert_allclose(tape.loss, value, rtol=1e-12)
    assert check(debugger.network, session.data.X, session.data.y).ok
    names = ran(session)
    for name, expected in tape.gradients.items():
        np.testing.assert_allclose(expected, gradients[name], rtol=1e-9, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(names["gradients"][f"d{name}"], expected, rtol=1e-9, atol=1e-12, err_msg=name)
    for name, quantity in tape.plan.program.quantities.items():
        if not quantity.given:
            t = tape.plan.steps if quantity.rows else None
            index = tuple(0 for _ in quantity.axes)
            found = explain(tape, name, t, index)
            np.testing.assert_allclose(sum(term.value for term in found.terms), found.value, rtol=1e-9, atol=1e-12)
    return session


def equation() -> None:
    session = whole(cell="gru")
    assert {"rhn_t = r_t ⊙ hn_t", "zn_t = x_t·Wxn + bn + rhn_t"} <= set(listing(session)), listing(session)
    tape = session.debugger.tape(0)
    assert tape["drhn"].shape == tape["rhn"].shape == tape["hn"].shape


def cell_as_a_file() -> None:
    text = Path("engine/tables/cells/my_mgu.py").read_text().replace('"my_mgu"', '"another"')
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mine.py"
        file.write_text(text.replace("engine.tables.cells.base", "engine.cells"))
        assert "n_t = tanh(zn_t)" in listing(whole(cell=file))


def cell_that_comes_along() -> None:
    offered("cell", "my_mgu")
    for notation in ("ng", "pytorch", "goodfellow"):
        session = open_session(None, {"cell": "my_mgu", "notation": notation})
        assert ran(session)["loss"].size == 1
        weights_come_back(session, notation)
    assert examined(program_text(whole(cell="my_mgu"))).verdict == "correct"


def activation() -> None:
    offered("activation", "arctan")
    session = whole(activation="arctan")
    assert {"a_t = arctan(z_t)", "dz_t = da_t ⊙ 1 / (1 + z_t²)"} <= set(listing(session)), listing(session)
    right = program_text(session)
    assert examined(right).verdict == "correct"
    assert examined(right.replace(" * 1 / (1 + z[t]**2)", "")).verdict == "wrong"


def examined(program: str) -> Report:
    """What the doctor says of it beside its reference."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "printed.py"
        file.write_text(program)
        return examine(file)


def head() -> None:
    offered("loss", "log-cosh")
    session = whole(loss="log-cosh", activation="tanh")
    assert any("log cosh(logits" in line for line in listing(session)), listing(session)
    assert not session.data.classes and session.debugger.network.outputs == 1
    assert examined(program_text(session)).verdict == "correct"
    assert examined(program_text(session).replace("a[t - 1].T @ dz[t]", "a[t].T @ dz[t]")).verdict == "wrong"
    assert accuracy(session.debugger.tape(0)) is None


def optimizer() -> None:
    offered("optimizer", "rmsprop")
    session = whole(optimizer="rmsprop", lr=0.01, activation="tanh")
    debugger = session.debugger
    W, s = debugger.tape(0).parameters["Wa"], np.zeros((3, 3))
    for iteration in range(3):
        dW = debugger.tape(iteration).gradients["Wa"]
        s = 0.99 * s + 0.01 * dW**2
        W = W - 0.01 * dW / (np.sqrt(s) + 1e-8)
        np.testing.assert_allclose(debugger.tape(iteration).updates["sWa"], s, rtol=1e-10)
    np.testing.assert_allclose(debugger.tape(3).parameters["Wa"], W, rtol=1e-10)
    text = program_text(open_session(None, {"optimizer": "rmsprop", "notation": "karpathy", "iteration": 2}))
    assert "sWhh = " in text and "sWa" not in text, "the optimizer's own quantities are not in the notation's names"
    trained = ran(open_session(None, {"optimizer": "rmsprop", "notation": "karpathy", "iteration": 2, "hidden": 3}))
    expected = open_session(None, {"optimizer": "rmsprop", "iteration": 2, "hidden": 3}).debugger.tape(2).loss
    np.testing.assert_allclose(float(trained["loss"]), expected, rtol=1e-9)


def weights_come_back(session: Session, notation: str) -> None:
    """Weights saved under a notation's names and in its layout start the same network."""
    network = session.debugger.network
    spelling = writer_for(session.debugger.plan, notation).spelling
    arrays = {
        spelling.name(name): spelling.layout.array(value, network.parameter_axes[name])
        for name, value in network.weights.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "w.npz"
        np.savez(file, **arrays)
        again = open_session(None, {"weights": file, "notation": notation, "cell": network.table.name})
        for name, value in network.weights.items():
            np.testing.assert_array_equal(again.debugger.network.weights[name], value)
        np.testing.assert_allclose(float(ran(again)["loss"]), again.debugger.tape(0).loss, rtol=1e-10)


def notation() -> None:
    offered("notation", "plain")
    session = open_session(None, {"notation": "plain"})
    assert {"o = a_T·V + c", "dV = a_Tᵀ·do"} <= set(listing(session, "plain")), listing(session, "plain")
    weights_come_back(session, "plain")


def view() -> None:
    from rnn_tui.control.controller import Controller
    from rnn_tui.keys.bindings import COMMANDS
    from rnn_tui.screens.layout import RIGHT, layout
    from rnn_tui.shown.look import look
    from rnn_tui.shown.selection import PAGES
    from tests.rnn_tui.panes.scene import scene

    assert "norms" in PAGES and any(command.keys == "7" for command in COMMANDS)
    control = Controller(open_session(None, {}), look(), print)
    control.turn_to("norms")
    assert layout(control.page, 0, 120, 36).body == {"listing": "1fr", "norms": "1fr"}
    canvas = RIGHT["norms"](scene(), 40, 8)
    text = ["".join(segment.text for segment in strip) for strip in canvas.strips()]
    assert text[0].startswith("  ‖Wx‖ = "), text


def command() -> None:
    assert printed("sizes", "--hidden", "3").splitlines() == ["Wx 1 3", "Wa 3 3", "ba 3", "Wy 3 2", "by 2"]
    assert "list the parameters" in printed("--help")


SECTIONS: dict[str, Callable[[], None]] = {
    "Add an equation": equation,
    "Add a cell as a file": cell_as_a_file,
    "Add a cell that comes along": cell_that_comes_along,
    "Add an activation, or another function": activation,
    "Add a head": head,
    "Add an optimizer": optimizer,
    "Add a notation": notation,
    "Add a view": view,
    "Add a command": command,
}


def main() -> None:
    wrong: dict[str, str] = {}
    runs = WarmRuns()
    launch._started = runs.started  # pyright: ignore[reportAttributeAccessIssue]
    trying.WORK = 0  # whether it is wrong is asked, not how it is corrected
    for name, tried in SECTIONS.items():
        try:
            tried()
            wrong[name] = ""
        except Exception:
            wrong[name] = traceback.format_exc()
    runs.close()
    json.dump(wrong, sys.stdout)


if __name__ == "__main__":
    main()
