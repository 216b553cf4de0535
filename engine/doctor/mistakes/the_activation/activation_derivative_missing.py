from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "activation-derivative-missing",
    "the activation's derivative is missing",
    "multiply by the activation's derivative on the way from the state to the pre-activation",
    Example(
        "loop",
        right="dz = dh * (1 - hs[t + 1] ** 2)",
        wrong="dz = dh",
    ),
)
