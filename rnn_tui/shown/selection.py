"""The choices of what to look at, which stay when the position changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from engine.explain.address import CellAddress

PageName = Literal["program", "flow", "weights", "training", "findings", "yours"]
PAGES: tuple[PageName, ...] = get_args(PageName)
NUMBERS = 2
"""The nearest that a picture can be zoomed to."""


@dataclass(frozen=True)
class Selection:
    """Choices that stay when the position changes. `sample` None is the whole batch. `line` is the listing's cursor
    (None: it follows the program). `operand` is which part of this line the cell cursor is in (None: the result).
    `quantity` is what the flow shows (None: the state, or its gradient going back).
    """

    page: PageName = "program"
    sample: int | None = None
    row: int = 0
    column: int = 0
    operand: int | None = None
    line: tuple[int, int] | None = None
    quantity: str | None = None
    parameter: str | None = None
    """The parameter in which the cursor of the weights view is (None: the one that the present line is about)."""
    asked: tuple[CellAddress, ...] = ()
    """The cells that were asked about, the last one being explained; none when no explanation is open."""
    follow: int = 0
    """Which number of the explanation would be followed."""
    unit: int = 0
    """The unit that the cursor of the flow view is at."""
    step: int | None = None
    """The time step that it is at (None: the present one)."""
    addend: tuple[int, int] | None = None
    """The sample and the time step of the ledger that the cursor of the weights view is at (None: it is in the gradient)."""
    moment: tuple[int, int] | None = None
    """The iteration and time step that the cursor of the training view is at (None: the present ones)."""
    reach: bool = False
    """Whether the flow view shows which loss reaches which step."""
    layer: str | None = None
    """The output state of the layer that training and reach are shown of (None: of the one whose line is at hand)."""
    finding: int = 0
    """The number of the finding that would be gone to."""
    beside: bool = False
    """Whether the original and the difference are shown beside the edited values."""
    execution: int = 0
    """The execution of the user's program that is shown."""
    source: int | None = None
    """The line at the cursor in the user's source (None: it follows the program)."""
    zoom: int = 0
    """How near the picture at the cursor is: 0 in its line, then alone with its cells (1) or its `NUMBERS` (2)."""
    log: bool | None = None
    """Logarithmic colours; None lets each quantity decide: logarithmic when its steps differ by more than `LOG_FROM`."""
