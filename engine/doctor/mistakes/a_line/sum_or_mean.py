from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "sum-or-mean",
    "a mean is taken where a sum belongs, or the other way round",
    "sum what was used several times; divide only where the loss does",
    Example(
        "batch",
        right="dc = dlogits.sum(axis=0)",
        wrong="dc = dlogits.mean(axis=0)",
    ),
)
