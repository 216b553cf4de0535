from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "factor-too-many",
    "a factor is too many",
    "leave it out",
    Example(
        "lstm",
        right="dc_next = dc * f",
        wrong="dc_next = dc * f * i",
    ),
)
