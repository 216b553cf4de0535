"""The notations: the names and the array layout of each source. The names of a cell's quantities stand in the cell's file.

* ng: Andrew Ng's letters (Deep Learning Specialization, course 5), one sample a row: the engine's own names.
* pytorch: the symbols of torch.nn.RNN, LSTM, GRU and Linear; weights are (out, in), samples are rows, arrays have state_dict's names.
* karpathy: Andrej Karpathy's min-char-rnn, https://gist.github.com/karpathy/d4dee566867f8291f086
* wildml: Denny Britz, Recurrent Neural Networks Tutorial, parts 2 to 4, https://dennybritz.com/posts/wildml/
* goodfellow: Goodfellow, Bengio, Courville: Deep Learning, sections 10.2 and 10.10
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.notation.layout import Layout

ROWS, TURNED_WEIGHTS, COLUMNS = Layout(), Layout(turned_weights=True), Layout(columns=True, turned_weights=True)


@dataclass(frozen=True)
class Notation:
    """Names and layout.

    `names` are those outside the cell (input, read-out, loss); names of gradients and flows follow, `gradient` before the name, unless
    they are given too. `parameter` stands for any parameter in the update's lines. `raised` writes time as h^(t). `kept` are a
    program's names for what it keeps over time; with `time_first` its inputs are (T, B, D). `stacked` says that parameters are stored
    together as `Cell.torch` has it.
    """

    name: str
    source: str
    layout: Layout
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    gradient: str = "d"
    parameter: str = "W"
    raised: bool = False
    kept: Mapping[str, str] = field(default_factory=dict[str, str])
    time_first: bool = False
    remark: str = ""
    stacked: bool = False


NG = Notation("ng", "Andrew Ng's letters, one sample a row", ROWS)

PYTORCH = Notation(
    "pytorch",
    "PyTorch's documentation and state_dict",
    TURNED_WEIGHTS,
    names={"y": "target", "Wy": "weight", "by": "bias"},
    time_first=True,
    stacked=True,
    remark="b stands for b_ih + b_hh: PyTorch has two biases where one would do.",
)

KARPATHY = Notation(
    "karpathy",
    "Andrej Karpathy's min-char-rnn, one sample a column",
    COLUMNS,
    names={"logits": "y", "y": "targets", "Wy": "Why"},
    kept={"x": "xs", "h": "hs", "y": "ys", "p": "ps"},
)

WILDML = Notation(
    "wildml",
    "Denny Britz's tutorial (WildML), one sample a column",
    COLUMNS,
    names={"p": "o", "Wy": "V", "by": "c", "dlogits": "delta_o"},
    gradient="dLd",
    parameter="θ",
)

GOODFELLOW = Notation(
    "goodfellow",
    "Goodfellow, Bengio, Courville: Deep Learning, chapter 10, one sample a column",
    COLUMNS,
    names={"logits": "o", "p": "yhat", "Wy": "V", "by": "c"},
    parameter="θ",
    raised=True,
)

NOTATIONS: dict[str, Notation] = {n.name: n for n in (NG, PYTORCH, KARPATHY, WILDML, GOODFELLOW)}
