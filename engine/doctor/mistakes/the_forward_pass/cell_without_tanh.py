from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "cell-without-tanh",
    "the state is the output gate times the cell itself",
    "write o * np.tanh(c), where an LSTM is meant",
    Example(
        "lstm",
        right="tc = np.tanh(c)",
        wrong="tc = c",
        line="h = o * tc",
    ),
    remark=True,
)
