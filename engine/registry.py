"""The names that options choose from, in the order in which help and messages list them; the first one is the default.

What stands under a name is in its table: `engine.tables.cells.CELLS` and `FURTHER`, `engine.language.functions.ACTIVATIONS`,
`engine.tables.heads.HEADS`, `engine.tables.optimizers.OPTIMIZERS`, `engine.notation.tables.NOTATIONS`. The names are
repeated here because the command line answers wrong use and `--help` before NumPy, which the tables need, is loaded. A
test compares the two. Standard library only.
"""

from __future__ import annotations

CELLS = ("rnn", "lstm", "gru")
FURTHER_CELLS = ("peephole", "lstmp", "layernorm", "coupled", "gru-before", "mgu", "leaky", "mingru", "lru", "irnn")
ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
LOSSES = ("cross-entropy", "binary", "squared", "given")
OPTIMIZERS = ("sgd", "momentum", "adam")
NOTATIONS = ("ng", "pytorch", "karpathy", "wildml", "goodfellow")

PREDICT = ("last", "every")
REDUCTIONS = ("mean", "sum")
DTYPES = ("float64", "float32")
TRUNCATIONS = ("window", "chunk")
LANGUAGES = ("en", "zh")
"""Of lessons; the first one stands in where a text is missing."""
