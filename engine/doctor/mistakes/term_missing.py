from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "term-missing",
    "a term is missing",
    "a value that is used in several places gets a term from each",
    Example(
        "lstm",
        right="dc = dh * o * (1 - tc ** 2) + dc_next",
        wrong="dc = dh * o * (1 - tc ** 2)",
    ),
)
