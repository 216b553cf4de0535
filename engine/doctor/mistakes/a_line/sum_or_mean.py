from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "sum-or-mean",
    "a mean is taken where a sum belongs, or the other way round",
    "sum what was used several times; divide only where the loss does",
    Example(
        "stacked",
        right="dw = (high[1:] * error[:, None]).sum(axis=0)",
        wrong="dw = (high[1:] * error[:, None]).mean(axis=0)",
        changes={"dw = high[1:].T @ error": "dw = (high[1:] * error[:, None]).sum(axis=0)"},
    ),
)
