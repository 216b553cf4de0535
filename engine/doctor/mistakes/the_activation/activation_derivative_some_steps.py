from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "activation-derivative-some-steps",
    "the activation's derivative is applied at some steps only",
    "apply it at every step, also at the first and the last",
    Example(
        "loop",
        right="dz = dh * (1 - hs[t + 1] ** 2)",
        wrong="dz = dh * (1 - hs[t + 1] ** 2) if t > 0 else dh",
    ),
)
