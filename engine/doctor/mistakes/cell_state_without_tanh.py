from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "cell-state-without-tanh",
    "the hidden state is made of the cell state without tanh",
    "h = o · tanh(c), if an LSTM is meant",
    Example(
        "lstm",
        right="h = o * tc",
        wrong="h = o * c",
    ),
    remark=True,
)
