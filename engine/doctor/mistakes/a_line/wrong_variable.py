from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "wrong-variable",
    "another variable is meant",
    "use what the forward pass used in this place",
    Example(
        "lstm",
        right="do = dh * tc",
        wrong="do = dh * h",
    ),
)
