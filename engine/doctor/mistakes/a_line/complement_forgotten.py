from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "complement-forgotten",
    "1 − x is meant, not x",
    "write 1 − x",
    Example(
        "lstm",
        right="dzi = di * i * (1 - i)",
        wrong="dzi = di * i * i",
    ),
)
