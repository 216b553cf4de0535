from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "overwritten-not-accumulated",
    "the gradient is overwritten where it should be added up",
    "write += : every step adds its term",
    Example(
        "loop",
        right="db += dz",
        wrong="db = dz",
    ),
)
