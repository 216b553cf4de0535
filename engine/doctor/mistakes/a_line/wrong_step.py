from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "wrong-step",
    "an index is off: another step, sample or entry is meant",
    "read what this very step read or made",
    Example(
        "stacked",
        right="da = (error[t] * w + dhigh)",
        wrong="da = (error[t - 1] * w + dhigh)",
    ),
)
