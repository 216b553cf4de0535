from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "tanh-derivative-misplaced-square",
    "the square is misplaced or missing: the derivative is 1 − a²",
    "square a alone",
    Example(
        "loop",
        right="dz = dh * (1 - hs[t + 1] ** 2)",
        wrong="dz = dh * (1 - hs[t + 1]) ** 2",
    ),
)
