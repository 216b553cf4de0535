from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "relu-mask-from-gradient",
    "ReLU's mask is taken from the gradient instead of the pre-activation",
    "ask whether the pre-activation is above 0",
    Example(
        "batch",
        right="dz = dh * (z[:, t] > 0)",
        wrong="dz = dh * (dh > 0)",
    ),
)
