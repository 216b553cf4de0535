from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "mse-delta-with-cross-entropy",
    "the delta is that of the squared error, the loss is cross-entropy",
    "leave the derivative of the output's activation out: cross-entropy cancels it",
    Example(
        "batch",
        right="dlogits = (P - Y) / B",
        wrong="dlogits = (P - Y) * P * (1 - P) / B",
    ),
)
