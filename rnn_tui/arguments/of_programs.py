"""The arguments of the commands that run a program of the user's own."""

from __future__ import annotations

import argparse

from rnn_tui.arguments.parts import FUNCTION, how_it_is_run


def doctor(parser: argparse.ArgumentParser) -> None:
    """What is examined, and how."""
    parser.description = (
        "Finds what is wrong in a backward pass through time that you wrote by hand, where and why, or says that it is right. "
        "FILE is run, with your rights: as `python FILE ARGS` would run it, up to its first updates, in a copy of its folder with limits "
        "of time and memory, which protects from accidents, not from malice. Where that leaves it open its functions are examined."
    )
    parser.add_argument(
        "file", metavar="FILE", help="a Python file or notebook (.ipynb) with a backward pass, or a whole script"
    )
    parser.add_argument("--function", metavar="NAME", help=FUNCTION)
    parser.add_argument(
        "--call",
        action="append",
        metavar="CALL",
        help="call FILE's functions so and examine what comes back: 'loss_fun(X, y, params)'; "
        "again for a forward pass before it: 'h, cache = forward(x, W)'",
    )
    parser.add_argument(
        "--data",
        dest="example",
        metavar="EXAMPLE",
        help="with --call: more names for it, from a .npz, .json or .py file",
    )
    how_it_is_run(parser)
    parser.add_argument(
        "--loss", choices=("cross-entropy", "binary", "squared"), help="what the loss is where FILE does not compute it"
    )
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.usage = "%(prog)s FILE [options] [-- ARGS]"
    parser.epilog = "ARGS are FILE's own. exit codes: 0 right, 1 wrong, 2 undecided or could not be run"


def derive(parser: argparse.ArgumentParser) -> None:
    """What is derived from, and how much is told."""
    parser.description = (
        "Writes the backward pass that belongs to a forward pass of your own: plain NumPy, in its names and its style, each line with its "
        "shape and why. FILE is run, with your rights, as the doctor runs it; only what agrees with its own numbers is printed."
    )
    parser.add_argument("file", metavar="FILE", help="a Python file or notebook (.ipynb) with a forward pass")
    parser.add_argument(
        "-o", "--output", metavar="NEW.py", help="write FILE with its backward pass in place here; replaces nothing"
    )
    lesson = parser.add_mutually_exclusive_group()
    lesson.add_argument("--outline", action="store_true", help="the order of steps with shapes, and no code")
    lesson.add_argument(
        "--hint",
        type=int,
        choices=(1, 2, 3, 4),
        metavar="N",
        help="1 the first quantity that is wrong or missing, 2 what feeds it, 3 its rule as a question, 4 its line",
    )
    how_it_is_run(parser)
    parser.add_argument(
        "--function",
        metavar="NAME",
        help="the backward pass of this function, called with arguments that are made up; for files of functions that nothing runs",
    )
    parser.add_argument(
        "--loss",
        dest="taken_loss",
        default="",
        metavar="NAME|EXPR",
        help="what the loss is, where FILE computes none: cross-entropy, binary or squared of its outputs and targets, or an expression "
        "of its names, as 'np.mean((y_hat - Y) ** 2)'",
    )
    parser.usage = "%(prog)s FILE [options] [-- ARGS]"
    parser.epilog = (
        "ARGS are FILE's own. exit codes: 0 derived, 1 part of it is left open and named, 2 nothing was derived"
    )
