from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "transposed-too-often",
    "a matrix is transposed where it should not be",
    "leave the transposition out",
    Example(
        "stacked",
        right="dhigh = Q @ da",
        wrong="dhigh = Q.T @ da",
    ),
)
