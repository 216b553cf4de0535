from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "one-object-for-all-steps",
    "one object keeps what every step made, so all steps see the last one's value",
    "keep each step's own value, in a list or in an object a step",
    Example(
        "loop",
        right="dz = dh * (1 - hs[t + 1] ** 2)",
        wrong="dz = dh * (1 - hs[-1] ** 2)",
    ),
)
