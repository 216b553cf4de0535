from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "activation-derivative-wrong-step",
    "the activation's derivative is that of another time step",
    "take the derivative at the value that this very step made",
    Example(
        "loop",
        right="dz = dh * (1 - hs[t + 1] ** 2)",
        wrong="dz = dh * (1 - hs[t] ** 2)",
    ),
)
