"""A user's program and the reference in step: what each line made beside what the reference has there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.doctor.opening import beside, open_again, open_program, open_walk
from engine.doctor.run.launch import Wishes
from engine.doctor.walk.lockstep import OTHER_LOSS, Lockstep
from engine.errors import InputError
from engine.explain.why import why
from tests.engine.doctor.planted import STYLES
from tests.engine.doctor.reports import STEPPED, STEPPED_SPECIMENS, assert_called_right, opened
from tests.engine.doctor.styles.style import Style, plant

SPECIMENS = Path(__file__).parents[1] / "specimens"


def in_step(source: str, folder: Path) -> Lockstep:
    path = folder / "mine.py"
    path.write_text(source)
    return opened(path)[1]


def planted(style: Style, id: str, folder: Path) -> Lockstep:
    return in_step(plant(style, id, style.plants[id][0]).source, folder)


@pytest.mark.parametrize("style", STEPPED, ids=lambda style: style.name)
def test_of_correct_code_nothing_is_called_wrong_and_every_cell_is_the_reference_s(
    style: Style, tmp_path: Path
) -> None:
    lockstep = in_step(style.source, tmp_path)
    tape, compared = lockstep.problem.tape, 0
    assert (lockstep.report.verdict, lockstep.report.diagnoses) == ("correct", ())
    assert not any(lockstep.is_wrong(i) for i in range(len(lockstep)))
    assert set(lockstep.states.values()) <= {"right", "own"}
    worked_on = [sample for sample in lockstep.samples if sample is not None]
    assert lockstep.samples == [None] * (len(lockstep) - len(worked_on)) + worked_on
    for i in range(len(lockstep)):
        value = lockstep.value(i)
        if value is None or value.ours is None or value.entry is None:
            continue
        assert value.entry.sample in (None, lockstep.samples[i])
        np.testing.assert_allclose(value.theirs, value.ours, rtol=1e-7, atol=1e-12)
        assert not value.pictures[-1].any()
        if value.cells is not None and value.entry.kind == "value":
            stored = np.asarray(tape[value.entry.name]).ravel()[value.cells]
            np.testing.assert_allclose(value.ours, value.scale * stored, rtol=1e-7, atol=1e-12)
            compared += 1
    assert compared > 10


@pytest.mark.parametrize("style", [STYLES[1], STYLES[7]], ids=lambda style: style.name)
def test_it_begins_where_it_goes_wrong_with_the_reference_beside_it(style: Style, tmp_path: Path) -> None:
    lockstep = planted(style, "wa-not-transposed", tmp_path)
    value, execution = lockstep.value(lockstep.first), lockstep.executions[lockstep.first]
    (finding,) = lockstep.report.diagnoses
    assert finding.place is not None and execution.line == finding.place.line
    assert execution.line in lockstep.blamed and lockstep.states[execution.line] == "wrong"
    assert value is not None and value.state == "wrong" and value.ours is not None
    assert value.entry is not None and value.entry.name in ("da", "da_next")
    assert value.theirs.shape == value.ours.shape and not np.allclose(value.theirs, value.ours)
    assert all(operand.state != "wrong" for operand in lockstep.operands(lockstep.first))
    later = lockstep.next_wrong(lockstep.first, 1)
    assert later is not None and lockstep.next_wrong(later, -1) == lockstep.first
    assert any(operand.state == "wrong" for operand in lockstep.operands(later))
    assert lockstep.next_wrong(lockstep.first, -1) is None


@pytest.fixture(scope="module")
def untransposed(tmp_path_factory: pytest.TempPathFactory) -> Lockstep:
    style = next(style for style in STYLES if style.name == "per-sample lists")
    return planted(style, "wa-not-transposed", tmp_path_factory.mktemp("untransposed"))


def test_the_reference_is_where_the_program_is(untransposed: Lockstep) -> None:
    lockstep = untransposed
    program = lockstep.problem.tape.plan.program
    seen = 0
    for i in range(len(lockstep)):
        value, position = lockstep.value(i), lockstep.position(i)
        if value is None or value.entry is None or value.entry.kind == "derivative" or not position:
            continue
        point = program.point(position)
        assert point.line == value.entry.name
        assert value.state == "wrong" or lockstep.position(lockstep.at(position)) == position
        seen += 1
    assert seen > 10


def test_the_same_line_and_the_passes(untransposed: Lockstep) -> None:
    lockstep = untransposed
    at = lockstep.first
    again = lockstep.same_line(at, 1)
    assert again is not None and lockstep.executions[again].line == lockstep.executions[at].line
    assert lockstep.same_line(again, -1) == at
    start, end = lockstep.phase(at, -1), lockstep.phase(at, 1)
    assert start <= at <= end
    assert lockstep.phase(start, -1) < start and end < lockstep.phase(end, 1)  # the passes before and after it


def test_why_is_asked_of_the_very_number_beside_the_user_s(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    style = next(style for style in STYLES if style.name == "per-sample lists")
    path.write_text(plant(style, "wa-not-transposed", style.plants["wa-not-transposed"][0]).source)
    session, lockstep = opened(path)
    checked = set[str]()
    for i in range(len(lockstep)):
        value = lockstep.value(i)
        if (
            value is None
            or value.cells is None
            or value.ours is None
            or value.entry is None
            or value.entry.kind == "derivative"
        ):
            continue
        ours = value.pictures[1]
        row, column = ours.shape[0] - 1, ours.shape[1] - 1
        cell = lockstep.asked(i, row, column)
        if cell is None or (value.entry.kind == "partial" and value.entry.sample is not None):
            continue
        assert value.scale * why(session.debugger, cell).value == pytest.approx(ours[row, column], rel=1e-6)
        checked.add(value.entry.name)
    assert {"a", "dz", "da", "dWa"} <= checked


@pytest.mark.parametrize("name", STEPPED_SPECIMENS)
def test_what_is_right_in_its_own_way_can_be_stepped_too(name: str, tmp_path: Path) -> None:
    lockstep = in_step((SPECIMENS / f"{name}.py").read_text(), tmp_path)
    assert_called_right(lockstep.report)
    assert not any(lockstep.is_wrong(i) for i in range(len(lockstep)))


def test_the_session_speaks_the_program_s_own_names(tmp_path: Path) -> None:
    session, lockstep = opened(SPECIMENS / "characters.py")
    assert session.options["notation"] == "karpathy"
    assert session.debugger.network is lockstep.problem.network


def test_what_cannot_run_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import nothing_of_this_name\n")
    with pytest.raises(InputError, match=r"mine\.py: "):
        open_walk(path)


@pytest.mark.parametrize(
    ("name", "kind", "is_own_loss"),
    [
        ("token_rows", ("rnn", "tanh", "last", "cross-entropy"), True),
        ("word_class", ("rnn", "tanh", "every", "cross-entropy"), True),
        ("class_of_dicts", ("rnn", "tanh", "every", "squared"), True),
        ("one_output", ("rnn", "tanh", "last", "binary"), True),
        ("updates_itself", ("rnn", "tanh", "last", "squared"), False),
        ("lstm_side_by_side", ("lstm", "tanh", "every", "squared"), False),
    ],
)
def test_the_network_that_a_program_computes(name: str, kind: tuple[str, ...], is_own_loss: bool) -> None:
    """Rows looked up, one sample at a time, weights in dicts, joined gates; where the loss is another the targets are made."""
    path = SPECIMENS / f"{name}.py"
    found = beside(open_walk(path, Wishes(stand=path.parent), mend=False))
    assert found is not None
    network = found.problem.network
    assert (network.table.name, network.activation, network.predict, network.loss) == kind
    assert found.recognised.made_targets is not is_own_loss
    assert (OTHER_LOSS in found.remarks.values()) is not is_own_loss


def test_a_program_is_opened_again_as_it_was_before(tmp_path: Path) -> None:
    text = (SPECIMENS / "script_columns.py").read_text()
    path = tmp_path / "mine.py"
    path.write_text(f"import sys\nrounds = int(sys.argv[1])\n{text}")
    first = open_program(path, wishes=Wishes(arguments=("3",), stand=tmp_path))
    assert isinstance(first, tuple)
    again = open_again(path, first[1])
    assert isinstance(again, tuple)
    assert again[1].report.verdict == first[1].report.verdict == "correct"
    assert again[1].walk.wishes is first[1].walk.wishes


HALF = """\
import numpy as np

rng = np.random.default_rng(0)
N, T, D, H, O = 6, 5, 2, 4, 1
X = rng.normal(size=(N, T, D))
Y = rng.normal(size=(N, O))
Wx = rng.normal(0, 0.4, (D, H))
Wa = rng.normal(0, 0.4, (H, H))
b = np.zeros(H)
Wy = rng.normal(0, 0.4, (H, O))
by = np.zeros(O)
lr = 0.1
for step in range(50):
    a = np.zeros((T + 1, N, H))
    for t in range(T):
        a[t + 1] = np.tanh(X[:, t] @ Wx + a[t] @ Wa + b)
    out = a[T] @ Wy + by
    loss = 0.5 * np.mean((out - Y) ** 2)
    dout = (out - Y) / N
    dWy = a[T].T @ dout
    dby = dout.sum(0)
    da = dout @ Wy.T
    dWx, dWa, db = np.zeros_like(Wx), np.zeros_like(Wa), np.zeros_like(b)
    for t in reversed(range(T)):
        dz = da * (1 - a[t + 1] ** 2)
        dWx += X[:, t].T @ dz
        dWa += a[t].T @ dz
        db += dz.sum(0)
        da = dz @ Wa.T
    Wx -= lr * dWx
    Wa -= lr * dWa
    b -= lr * db
    Wy -= lr * dWy
    by -= lr * dby
    print(step, loss)
"""


def test_a_loss_that_is_a_multiple_of_the_references_is_said_and_beside_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HALF)
    found = beside(open_walk(path, Wishes(stand=tmp_path), mend=False))
    assert found is not None
    assert found.remarks["reference"] == "its loss is the mean of squared error: this program's is 0.5 times that"
    at = next(
        i
        for i, execution in enumerate(found.executions)
        if HALF.splitlines()[execution.line - 1].lstrip().startswith("loss =")
    )
    program, position = found.problem.tape.plan.program, found.position(at)
    assert position is not None and program.point(position).line == "loss"
    theirs = float(found.walk.value(found.executions[at].ran.made[-1]))
    assert theirs == pytest.approx(0.5 * found.problem.tape.loss)


def test_of_several_files_the_one_with_the_backward_pass_is_shown_and_the_reference_goes_where_it_is(
    tmp_path: Path,
) -> None:
    (tmp_path / "half.py").write_text(HALF)
    (tmp_path / "mine.py").write_text("import half\n\nprint(half.loss)\n")
    found = beside(open_walk(tmp_path / "mine.py", Wishes(stand=tmp_path), mend=False))
    assert found is not None and found.name == "half.py" and found.source.text == HALF
    back = 1 + HALF.splitlines().index("        da = dz @ Wa.T")
    assert found.states[back] == "right"
    zeros = next(i for i, one in enumerate(found.executions) if "np.zeros_like" in found.source.lines[one.line - 1])
    assert found.position(zeros) is None and found.reached(zeros) == found.position(zeros - 1)


def test_the_line_at_which_following_ends_is_told_as_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HALF)
    said = str(open_walk(path, Wishes(stand=tmp_path), mend=False).report.run["stopped"])
    line = 1 + next(i for i, text in enumerate(HALF.splitlines()) if "np.tanh" in text)
    assert said.startswith(f"it was followed until its first updates were complete; line {line} (") and said.endswith(
        ") would run next"
    )


def test_of_a_run_that_stops_the_walk_says_why_the_question_is_open(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HALF.replace("    da = dout @ Wy.T\n", "    raise ValueError('enough')\n"))
    report = open_walk(path, Wishes(stand=tmp_path), mend=False).report
    assert report.verdict == "undecided"
    assert "fails with ValueError: enough" in report.reason


LAST_SAMPLE_ALONE = """
import numpy as np
rng = np.random.default_rng(7)
X, y = rng.normal(size=(6, 3, 2)), np.array([0, 1, 1, 0, 1, 0])
Wx, Wa, Wy = rng.normal(size=(2, 4)), rng.normal(size=(4, 4)) * 0.5, rng.normal(size=(4, 2))
out = []
for sample in X:
    a = [np.zeros((1, 4))]
    for row in sample:
        a.append(np.tanh(a[-1] @ Wa + row[None] @ Wx))
    e = np.exp(a[-1] @ Wy)
    out.append((e / e.sum())[0])
d = (np.array(out) - np.eye(2)[y]) / 6
loss = -np.log(np.array(out)[np.arange(6), y]).mean()
dWy, dWa, dWx = np.zeros_like(Wy), np.zeros_like(Wa), np.zeros_like(Wx)
for i in range(6):
    dWy += a[-1].T @ d[i : i + 1]
    da = d[i : i + 1] @ Wy.T
    for t in range(3, 0, -1):
        dz = da * (1 - a[t] ** 2)
        dWa += a[t - 1].T @ dz
        dWx += X[i, t - 1][:, None] @ dz
        da = dz @ Wa.T
for W, g in ((Wx, dWx), (Wa, dWa), (Wy, dWy)):
    W -= 0.1 * g
"""


def test_a_gradient_of_one_direction_is_not_the_reference_s_by_a_factor_of_its_own(tmp_path: Path) -> None:
    """With two classes every error is a multiple of (1, -1): the states of the last sample alone make a multiple of the right gradient."""
    lockstep = in_step(LAST_SAMPLE_ALONE, tmp_path)
    assert lockstep.report.verdict == "wrong"
    made = [value for i in range(len(lockstep)) if (value := lockstep.value(i)) is not None and value.entry is not None]
    right = {value.entry: value.scale for value in made if value.state == "right" and value.entry}
    assert {entry.sample for entry in right if entry.name == "dWa"} == {5}
    assert list(right.values()) == pytest.approx([1.0] * len(right))
