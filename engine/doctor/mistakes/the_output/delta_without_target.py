from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "delta-without-target",
    "the target is not subtracted in the output's delta",
    "subtract the one-hot target from the probabilities",
    Example(
        "batch",
        right="dlogits = (P - Y) / B",
        wrong="dlogits = P / B",
    ),
)
