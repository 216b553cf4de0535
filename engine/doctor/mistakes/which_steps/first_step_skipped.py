from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "first-step-skipped",
    "the backward loop stops before the first step",
    "go down to the first step",
    Example(
        "loop",
        right="for t in reversed(range(T)):",
        wrong="for t in reversed(range(1, T)):",
    ),
)
