"""What if: numbers put in, the iteration run on, the difference to what really happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine import Debugger, InputError, Network, Tape, record
from engine.debug.difference import difference
from engine.debug.edits import Edit, parse_edit
from engine.debug.replay import replay, same
from engine.debug.whatif import AT_REST, Branch, edit_of, what_if
from engine.files.trace import write_trace
from engine.language.evaluate import evaluate
from engine.model.blocks import Line
from engine.model.program import carries_losses
from engine.recording.plan import update_order
from engine.session import open_session
from tests.engine.strategies import Case, all_cases, case
from tests.examples import examples

Array = np.ndarray[Any, Any]


def debugger_of(c: Case, **options: Any) -> Debugger:
    return Debugger(c.network, c.X, c.y, initial=c.initial, lengths=c.lengths, **options)


def assert_same(left: Tape, right: Tape, *but: str) -> None:
    """Bit for bit."""
    for name in left.arrays:
        assert name in but or same(left[name], right[name]).all(), name


# The language


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ("da@3 = 0", Edit("da", 3, (), "set", 0.0)),
        ("da = 0", Edit("da", None, (), "set", 0.0)),
        (" da @ 3 [0, 5]=-1e-3 ", Edit("da", 3, (0, 5), "set", -1e-3)),
        ("da@3[0,:] *= 0.5", Edit("da", 3, (0, None), "scale", 0.5)),
        ("Wa[2,3] = nan", Edit("Wa", None, (2, 3), "set", float("nan"))),
        ("y[4] = flip", Edit("y", None, (4,), "flip", 0.0)),
        ("flow@3=0", Edit("flow", 3, (), "set", 0.0)),
        ("activation = tanh", Edit("activation", None, (), "activation", "tanh")),
    ],
)
def test_an_edit_is_data(text: str, edit: Edit) -> None:
    found = parse_edit(text)
    assert repr(found) == repr(edit)
    assert repr(parse_edit(found.text)) == repr(edit)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "sets nothing"),
        ("da", "sets nothing"),
        ("da@3 == 0", "sets nothing"),
        ("da@t = 0", "sets nothing"),
        ("da@3 = ", "the number is missing"),
        ("da@3 = __import__('os')", "is no number"),
        ("da@3[-1,0] = 0", "-1 is no index"),
        ("da@3[0,] = 0", "nothing is no index"),
        ("activation@3 = tanh", "one for the whole network"),
        ("da@3 = tanh", "tanh is no number"),
        ("da@3 = \x1b[31m", "␛[31m is no number"),
    ],
)
def test_what_is_no_edit_is_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_edit(text)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@examples(300)
@given(st.text(max_size=60) | st.text("da@t3[0,5]:=* +-.e\n", max_size=30))
def test_any_text_is_an_edit_or_refused(text: str) -> None:
    try:
        edit = parse_edit(text)
    except InputError as error:
        assert len(str(error)) < 400
    else:
        assert repr(parse_edit(edit.text)) == repr(edit)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dq@3 = 0", "there is no quantity 'dq'"),
        ("da@9 = 0", "is computed by no line; T is 5"),
        ("z@0 = 0", "is computed by no line"),
        ("da_next@5 = 0", "is always 0 here"),
        ("z@3[4,0] = 0", "z is 4×3 here"),
        ("z@3[0] = 0", "not a place in it"),
        ("dWa@3 = 0", "is a sum over time"),
        ("loss@3 = 0", "is not in time"),
        ("Wa@3 = 0", "is not in time"),
        ("Wa[3,0] = 0", "Wa is 3×3 here"),
        ("da_out@3 = 0", "is always 0 here"),
        ("flow@6 = 0", "nothing flows back from step 6"),
        ("flow@3[0,0] = 0", "leave the index away"),
        ("y[0] = 7", "this network has the classes 0 to 2"),
        ("y[0] = 0.5", "holds the numbers of classes"),
        ("y[0] *= 2", "holds the numbers of classes"),
        ("y[0] = flip", "say which"),
        ("y@3[0] = 1", "one y a sample"),
        ("x@6[0,0] = 1", "the time steps 1 to 5"),
        ("activation = softsign", "softsign"),
    ],
)
def test_what_makes_no_sense_in_this_network_is_refused(text: str, says: str) -> None:
    debugger = debugger_of(case())
    with pytest.raises(InputError) as refused:
        what_if(debugger, text)
    assert says in str(refused.value)


def test_what_follows_from_lengths_and_options_is_not_set() -> None:
    with pytest.raises(InputError, match="mask follows from the data"):
        what_if(debugger_of(case(ragged=True)), "mask@1 = 1")
    with pytest.raises(InputError, match="its own activations"):
        what_if(debugger_of(case(cell="lstm")), "activation = tanh")
    with pytest.raises(InputError, match="take --truncate-by chunk"):
        what_if(debugger_of(case(predict="every", truncate=2)), "da@3 = 0")


def test_a_state_set_as_a_whole_keeps_the_row_that_no_line_writes() -> None:
    edit, plan = parse_edit("a = 0"), debugger_of(case()).tape(0).plan
    assert [edit_of((edit,), plan, "a", 0, t, (0, 0)) for t in (0, 1, 5)] == [None, edit, edit]
    assert edit_of((edit,), plan, "a", 1, 1, (0, 0)) is None  # another iteration computes it anew


# What an edit does, against what is known otherwise


def test_a_weight_set_is_a_recording_with_that_weight() -> None:
    c = case(ragged=True, predict="every")
    edited = what_if(debugger_of(c), "Wa[2,1] = 0.5").tape(0)
    Wa = c.network.weights["Wa"].copy()
    Wa[2, 1] = 0.5
    own = record(c.network, c.X, c.y, parameters={**c.network.weights, "Wa": Wa}, initial=c.initial, lengths=c.lengths)
    assert_same(edited, own)
    assert (edited.parameters["Wa"] == Wa).all()
    assert same(edited.updates["Wa"], own.updates["Wa"]).all()


def test_inputs_labels_and_initial_states_set_are_a_recording_with_them() -> None:
    c = case()
    X, y, a0 = c.X.copy(), c.y.copy(), c.initial["a"].copy()  # type: ignore[index]
    X[3, 1, 0], y[2], a0[0] = -2.0, (y[2] + 1) % 3, 0.0
    branch = what_if(debugger_of(c), "x@2[3,0] = -2")
    branch = what_if(branch, f"y[2] = {y[2]}")
    branch = what_if(branch, "a@0[0,:] = 0")
    assert_same(branch.tape(0), record(c.network, X, y, initial={"a": a0}))
    every = case(predict="every", ragged=True)
    y = every.y.copy()
    y[3, 1] = (y[3, 1] + 1) % 3
    options = {"initial": every.initial, "lengths": every.lengths}
    edited = what_if(debugger_of(every), f"y@2[3] = {y[3, 1]}").tape(0)
    assert_same(edited, record(every.network, every.X, y, **options))
    both = case(bidirectional=True)
    assert both.initial is not None
    initial = {**both.initial, "a1r": np.zeros((4, 3))}
    edited = what_if(debugger_of(both), "a1r@6 = 0").tape(0)  # before the first step that runs in this direction
    assert_same(edited, record(both.network, both.X, both.y, initial=initial))
    with pytest.raises(InputError, match="a1r@0 is computed by no line"):
        what_if(debugger_of(both), "a1r@0 = 0")


def test_another_activation_is_another_network() -> None:
    c = case(activation="tanh")
    other = Network(**{**vars_of(c.network), "activation": "relu"})
    assert_same(what_if(debugger_of(c), "activation = relu").tape(0), record(other, c.X, c.y, initial=c.initial))


def vars_of(network: Network) -> dict[str, Any]:
    return {name: getattr(network, name) for name in network.__dataclass_fields__}


@pytest.mark.parametrize("t", [1, 3, 4])
def test_a_gradient_of_zero_ends_what_flows_further_back(t: int) -> None:
    """With da@t = 0 only the steps after t reach the weights: the sum of their own terms, as in truncated backpropagation."""
    debugger = debugger_of(case())
    original, edited = debugger.tape(0), what_if(debugger, f"da@{t} = 0").tape(0)
    for gradient in ("dWa", "dWx", "dba"):
        (line,) = original.plan.program.writers(gradient)
        terms = [original.term(line, s) for s in range(t + 1, 6)]
        np.testing.assert_allclose(edited[gradient], sum(terms), rtol=1e-12, atol=1e-15)
    assert not edited["da"][: t + 1].any()
    assert same(edited["da"][t + 1 :], original["da"][t + 1 :]).all()
    assert edited.loss == original.loss


@pytest.mark.parametrize(("cell", "states"), [("lstm", ("h", "c")), ("gru", ("h",)), ("rnn", ("a",))])
@pytest.mark.parametrize("predict", ["last", "every"])
def test_cutting_the_flow_is_truncation_at_that_step(cell: str, states: tuple[str, ...], predict: str) -> None:
    c = case(cell=cell, predict=predict)
    cut = what_if(debugger_of(c), "flow@4 = 0").tape(0)
    truncated = record(
        Network(**{**vars_of(c.network), "truncate": 3, "truncate_by": "chunk"}), c.X, c.y, initial=c.initial
    )
    for name in ("dWy", *(f"d{s}" for s in states), *(f"d{p}" for p in c.network.table.parameters)):
        np.testing.assert_allclose(cut[name], truncated[name], rtol=1e-10, atol=1e-14)


def test_one_sample_is_set_and_the_others_keep_their_bits() -> None:
    debugger = debugger_of(case(batch=5, hidden=4))
    original, edited = debugger.tape(0), what_if(debugger, "z@2[1,3] = 7").tape(0)
    others = [0, 2, 3, 4]
    for name, quantity in original.plan.program.quantities.items():
        if quantity.axes[:1] == ("B",):
            axis = 1 if quantity.rows else 0
            assert same(original[name].take(others, axis), edited[name].take(others, axis)).all(), name
    assert edited["z"][1, 1, 3] == 7
    assert difference(original, edited, "z").offset == original.plan.program.written("z", 2)


# Line by line, without the engine's own way of it


def naively(tape: Tape, edit: Edit, row: int | None) -> Tape:
    """Every line of the program in turn, in the plainest way; what the edit is about is set when its line has run."""
    plan = tape.plan
    arrays = {n: a.copy() for n, a in tape.arrays.items()}
    new = Tape(plan, arrays, tape.parameters)
    program = plan.program

    def put(name: str, number: int) -> None:
        if name == edit.name and row in (None, number):
            edit.put(arrays[name][number] if program.quantities[name].rows else arrays[name])

    def run(line: Line, t: int | None) -> None:
        name, quantity = line.name, program.quantities[line.name]
        value = evaluate(line.equation.expression, lambda n: new.lookup(n, t), plan.axes)
        number = quantity.row(t + line.equation.step) if quantity.rows and t is not None else 0
        if line.equation.accumulate:
            arrays[name][...] += value
        elif quantity.rows:
            arrays[name][number] = value
        else:
            arrays[name][...] = value
        if not line.equation.accumulate:
            put(name, number)

    T = plan.steps
    for block in program.blocks:
        if block.phase == "update":
            continue
        for line in block.lines:
            if line.equation.accumulate:
                arrays[line.name][...] = 0
        for t in [block.step(run, T) for run in range(block.runs(T, 0))]:
            for line in block.lines:
                run(line, t)
        if block.in_time and block.phase == "backward":
            for flow in [line.name for line in block.lines if line.name.endswith("_next")]:
                first = -1 if program.quantities[flow].reverse else 0
                arrays[flow.removesuffix("_next")][first] = arrays[flow][first]
                put(flow.removesuffix("_next"), first % (T + 1))
            for line in block.lines:
                if line.equation.accumulate:
                    put(line.name, 0)
    return new


@examples(60)
@given(all_cases(activations=("tanh", "sigmoid", "identity"), scales=(0.3, 1.0)), st.data())
def test_random_edits_against_every_line_run_again(c: Case, data: st.DataObject) -> None:
    assume(not carries_losses(c.network))
    tape = record(c.network, c.X, c.y, initial=c.initial, lengths=c.lengths)
    program = tape.plan.program
    name = data.draw(st.sampled_from([n for n, q in program.quantities.items() if not q.given]), "name")
    quantity = program.quantities[name]
    t = None
    if quantity.rows:
        steps = [s for s in quantity.steps(c.X.shape[1]) if program.written(name, s) >= 0]
        t = data.draw(st.none() | st.sampled_from(steps), "t")
    shape = tape.plan.shape(quantity)[1 if quantity.rows else 0 :]
    index = tuple(data.draw(st.none() | st.integers(0, n - 1), "index") for n in shape)
    action = data.draw(st.sampled_from(["set", "scale", "flip"]), "action")
    edit = Edit(name, t, index, action, data.draw(st.sampled_from([0.0, 0.5, -1.25, 3.0]), "value"))

    kept = {n: a.tobytes() for n, a in tape.arrays.items()}
    edited = replay(tape, [edit])
    assert kept == {n: a.tobytes() for n, a in tape.arrays.items()}  # the original is as it was

    expected = naively(tape, edit, None if t is None else quantity.row(t))
    for each in tape.arrays:
        np.testing.assert_allclose(edited[each], expected[each], rtol=1e-8, atol=1e-11, err_msg=each)

    if t is not None or not quantity.rows:  # what ran before the edit has its bits still
        first = program.written(name, t)
        for each in tape.arrays:
            offset = difference(tape, edited, each).offset
            assert offset is None or offset >= first


def test_what_each_loss_sends_back_is_carried_anew() -> None:
    """Truncation by a window with a loss at every step: a hidden state set going forward changes what is cut off."""
    c = case(predict="every", truncate=2, steps=6)
    debugger = debugger_of(c)
    edited = what_if(debugger, "a@3 *= 0.5").tape(0)
    assert not same(edited["da_cut"], debugger.tape(0)["da_cut"]).all()
    # The state set to what it is changes nothing, to the bit.
    assert_same(what_if(debugger, "a@3 *= 1").tape(0), debugger.tape(0))


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_numbers_of_the_update_are_set_too(optimizer: str) -> None:
    debugger = debugger_of(case(optimizer=optimizer, clip_norm=0.1))
    original, edited = debugger.tape(0), what_if(debugger, "dWa_clipped = 0").tape(0)
    assert not edited.updates["dWa_clipped"].any()
    assert same(edited.updates["Wa"], original.parameters["Wa"]).all()
    names = [program_name(original, line, parameter) for line, parameter in update_order(original.plan.program)]
    for name in names[: names.index("dWa_clipped")]:
        assert same(edited.updates[name], original.updates[name]).all()
    assert difference(original, edited, "dWa_clipped").offset == original.plan.program.update_offset("dWa_clipped")


def program_name(tape: Tape, line: Line, parameter: str | None) -> str:
    return tape.plan.program.at_parameter(line, parameter).target


def test_nan_is_put_in_and_spreads() -> None:
    debugger = debugger_of(case())
    edited = what_if(debugger, "z@3[0,1] = nan").tape(0)
    found = difference(debugger.tape(0), edited, "a")
    assert np.isnan(found.edited[3, 0, 1])
    assert not np.isnan(found.values[:3]).any()
    assert not np.isnan(edited["a"][:, 1:]).any()
    assert np.isnan(edited.loss)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("da@3 = 0", "must be a list of texts"),
        ([3], "must be a list"),
        (["open('x')"], "sets nothing"),
        (["q = 0"], "no quantity"),
    ],
)
def test_a_trace_tells_edits_as_data_only(tmp_path: Path, told: object, says: str) -> None:
    c = case()
    path = tmp_path / "t.npz"
    write_trace(path, record(c.network, c.X, c.y), meta={"what_if": told})
    with pytest.raises(InputError, match=says):
        open_session(path, {})


def test_with_checkpoints_weights_are_set_and_rows_are_not() -> None:
    c = case(steps=7)
    debugger = debugger_of(c, checkpoints=True)
    with pytest.raises(InputError, match="keeps checkpoints only"):
        what_if(debugger, "da@3 = 0")
    edited = what_if(debugger, "Wa[0,0] = 1").tape(0)
    whole = what_if(debugger_of(c), "Wa[0,0] = 1").tape(0)
    np.testing.assert_allclose(np.asarray(edited["da"]), whole["da"], rtol=1e-10, atol=1e-14)
    assert difference(debugger.tape(0), edited, "da").count


# The difference


def test_the_difference_and_where_it_begins() -> None:
    debugger = debugger_of(case())
    original, edited = debugger.tape(0), what_if(debugger, "da@3[0,1] = 0").tape(0)
    found = difference(original, edited, "da")
    assert found.point is not None
    assert (found.point.phase, found.point.t, found.point.line) == ("backward", 4, "da")
    assert found.values[3, 0, 1] == -original["da"][3, 0, 1]
    assert (found.values == edited["da"] - original["da"]).all()
    assert found.count == np.count_nonzero(found.values)
    sums = difference(original, edited, "dWa")
    assert sums.point is not None
    assert (sums.point.line, sums.point.t) == ("dWa", 3)
    nothing = difference(original, edited, "a")
    assert (nothing.offset, nothing.point, nothing.count) == (None, None, 0)
    assert difference(original, what_if(debugger, "Wa[0,0] = 9").tape(0), "Wa").offset == -1


# On from there, and back


def test_later_iterations_follow_from_the_edited_update() -> None:
    c = case(optimizer="adam")
    debugger = debugger_of(c)
    branch = what_if(debugger, "dWa = 0", iteration=2)
    assert branch.tape(0) is debugger.tape(0)
    assert branch.tape(1) is debugger.tape(1)
    assert same(branch.tape(2).parameters["Wa"], debugger.tape(2).parameters["Wa"]).all()
    after = branch.tape(2).updates
    assert all(same(branch.tape(3).parameters[name], after[name]).all() for name in c.network.parameter_axes)
    assert branch.tape(20).loss != debugger.tape(20).loss
    assert branch.tape(3).updates_before == 3
    assert set(branch.history) >= set(range(21))


def test_labels_stay_flipped_and_weights_are_trained_on() -> None:
    c = case()
    label = (int(c.y[1]) + 1) % 3
    branch = what_if(debugger_of(c), f"y[1] = {label}", iteration=1)
    y = c.y.copy()
    y[1] = label
    assert branch.tape(0)["y"][1] == c.y[1]
    assert branch.tape(5)["y"][1] == label
    own = Debugger(c.network, c.X, y, initial=c.initial, start=branch.original.start(1))
    assert same(branch.tape(5)["dWa"], own.tape(4)["dWa"]).all()
    weight = what_if(debugger_of(c), "Wy[0,0] = 3", iteration=1)
    assert weight.tape(2).parameters["Wy"][0, 0] == weight.tape(1).updates["Wy"][0, 0]


def test_in_a_mini_batch_the_label_is_the_samples_own() -> None:
    c = case(batch=6, outputs=2)
    debugger = debugger_of(c, batch_size=2)
    sample = int(debugger.batches.indices(1)[0])
    branch = what_if(debugger, "y[0] = flip", iteration=1)
    later = next(i for i in range(3, 6) if sample in debugger.batches.indices(i))
    row = list(debugger.batches.indices(later)).index(sample)
    assert branch.tape(1)["y"][0] == 1 - c.y[sample]
    assert branch.tape(later)["y"][row] == 1 - c.y[sample]
    assert (branch.data(0).y == c.y).all()


def test_undo_gives_what_was_before() -> None:
    debugger = debugger_of(case())
    debugger.go(7)
    debugger.add("z")
    one = what_if(debugger, "z@2[0,0] = 1")
    two = what_if(one, "da@4 = 0")
    assert isinstance(two, Branch)
    assert two.undone is one
    assert one.undone is debugger
    assert (two.position, two.breakpoints) == (7, debugger.breakpoints)
    assert two.original is debugger
    assert two.tape(0)["z"][1, 0, 0] == 1
    assert not two.tape(0)["da"][4].any()
    assert [edit.text for edit in two.edits] == ["z@2[0,0] = 1", "da@4 = 0"]


def test_many_edits_take_little_memory_and_undo_gives_the_same_bits() -> None:
    original = debugger_of(case())
    first = what_if(original, "Wa[0,0] = 1")
    expected = {iteration: first.tape(iteration) for iteration in (0, 77, 100)}
    branch = first
    for step in range(2, 6):
        branch.go(100 * branch.program.length + 1)
        branch = what_if(branch, f"z@{step}[0,0] = 1", iteration=100)
        assert branch._X is original._X
    undone, kept = branch.undone, 0
    while isinstance(undone, Branch):
        assert not undone._tapes
        assert not undone._buffers
        kept += len(undone._starts.kept)
        undone = undone.undone
    assert kept <= 2 * AT_REST
    for iteration, tape in expected.items():
        assert_same(tape, first.tape(iteration))


MOVES: tuple[Callable[[Debugger], bool], ...] = (
    Debugger.step, Debugger.next, Debugger.finish, Debugger.previous, Debugger.start_of_phase,
)  # fmt: skip


@given(st.lists(st.sampled_from(MOVES), max_size=30))
def test_everything_steps_as_usual(moves: list[Callable[[Debugger], bool]]) -> None:
    debugger = debugger_of(case(steps=3))
    branch = what_if(debugger, "a@1 = 0", iteration=1)
    for move in moves:
        assert move(debugger) == move(branch)
        assert debugger.position == branch.position
        assert branch.view.point == debugger.view.point
