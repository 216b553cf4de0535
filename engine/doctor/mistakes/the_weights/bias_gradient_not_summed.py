from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "bias-gradient-not-summed",
    "the bias' gradient is not a sum over samples and steps",
    "sum over every axis that the bias was repeated along",
    Example(
        "batch",
        right="db += dz.sum(axis=0)",
        wrong="db += dz[0]",
    ),
)
