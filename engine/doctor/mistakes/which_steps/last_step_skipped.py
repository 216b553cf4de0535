from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "last-step-skipped",
    "the backward loop leaves the last step out",
    "begin with the last step",
    Example(
        "loop",
        right="for t in reversed(range(T)):",
        wrong="for t in reversed(range(T - 1)):",
    ),
)
