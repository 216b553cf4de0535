from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "term-dropped",
    "a term is too many",
    "leave it out",
    Example(
        "lstm",
        right="dh = dy * w + dh_next",
        wrong="dh = dy * w + dh_next + dc_next",
    ),
)
