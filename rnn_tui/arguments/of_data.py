"""The arguments of the commands that open data."""

from __future__ import annotations

import argparse

from rnn_tui.arguments.parts import COLORS, count, data_and_model, edits, size, tolerance

VIEWS = ("program", "flow", "weights", "training", "findings")


def trace(parser: argparse.ArgumentParser) -> None:
    """An iteration that is written to a file."""
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE.npz", help="where to write; replaces what is there"
    )
    edits(parser)
    data_and_model(parser)


def check(parser: argparse.ArgumentParser) -> None:
    """The gradient check."""
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.add_argument("--all", action="store_true", help="every entry of every parameter, not 50 drawn ones")
    parser.add_argument("--tolerance", type=tolerance, default=1e-6, metavar="X", help="largest relative error (1e-6)")
    data_and_model(parser)


def show(parser: argparse.ArgumentParser) -> None:
    """A quantity as a picture."""
    parser.add_argument(
        "quantity",
        metavar="QUANTITY",
        help="a name, with @t for one time step: da@3, dWa, z, dWa@7; or reach, or ledger dWa[2,3]",
    )
    parser.add_argument("--color", choices=COLORS, default="auto", help="depth of colour (auto; none when piped)")
    edits(parser)
    parser.add_argument("--difference", action="store_true", help="with --set: edited − original")
    data_and_model(parser)


def run(parser: argparse.ArgumentParser) -> None:
    """To where a condition holds, or what is wrong."""
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument(
        "--break",
        dest="condition",
        metavar="EXPR",
        help="a condition, for example 'norm(da) < 1e-3', or a breakpoint as d takes it: 'dz if norm(dz) < 1e-3'",
    )
    wanted.add_argument("--findings", action="store_true", help="what is wrong, found without asking: a line each")
    parser.add_argument(
        "--iterations", type=count, default=1, metavar="N", help="how many iterations to look through (1)"
    )
    parser.add_argument("--reverse", action="store_true", help="the last point where it holds, not the first")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    data_and_model(parser)


def explain(parser: argparse.ArgumentParser) -> None:
    """Why a number is what it is."""
    parser.add_argument("number", metavar="CELL", help="a number: da@3[0,5], dWa[2,3], dWa@7[2,3], loss")
    parser.add_argument("--json", action="store_true", help="the whole arithmetic as JSON")
    parser.add_argument("--top", type=count, metavar="N", help="the N largest terms, the rest as one sum")
    data_and_model(parser)


def train(parser: argparse.ArgumentParser) -> None:
    """Training."""
    parser.add_argument("--iterations", required=True, type=count, metavar="N", help="how many updates to make")
    parser.add_argument(
        "-o", "--output", metavar="WEIGHTS", help="where to write the trained weights (.npz); replaces what is there"
    )
    data_and_model(parser)


def compare(parser: argparse.ArgumentParser) -> None:
    """Arrays of one's own."""
    parser.add_argument(
        "file", metavar="MINE.npz", help="arrays of your own: weights, gradients, states under any known names"
    )
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    data_and_model(parser)


def shot(parser: argparse.ArgumentParser) -> None:
    """A picture of the screen."""
    parser.description = (
        "Opens DATA without a terminal, goes to PLACE and saves the screen there. FILE's ending says as what: .svg a picture, .txt text, "
        ".html or .md a report with the arithmetic of the number, .csv the numbers of the picture at the cursor."
    )
    parser.add_argument(
        "place", metavar="PLACE", help="dz@7, da@3[2,4], loss, backward 7: what `g` takes in the debugger"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="where to write; replaces what is there")
    parser.add_argument("--size", type=size, default=(120, 36), metavar="WxH", help="columns and lines (120x36)")
    parser.add_argument("--view", choices=VIEWS, default=VIEWS[0], help="which view (program)")
    parser.add_argument(
        "--theme", metavar="NAME", default="dark", help="dark, light, contrast or one of Textual's (dark)"
    )
    edits(parser)
    data_and_model(parser)
