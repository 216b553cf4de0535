from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "delta-sign",
    "the output's delta has the wrong sign: target minus prediction",
    "take the prediction minus the target, and subtract the step",
    Example(
        "batch",
        right="dlogits = (P - Y) / B",
        wrong="dlogits = (Y - P) / B",
    ),
)
