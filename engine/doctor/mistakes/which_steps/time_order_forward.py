from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "time-order-forward",
    "the backward loop runs forward in time",
    "start at the last step",
    Example(
        "loop",
        right="for t in reversed(range(T)):",
        wrong="for t in range(T):",
    ),
)
