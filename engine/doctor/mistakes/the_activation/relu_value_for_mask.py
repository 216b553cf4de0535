from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "relu-value-for-mask",
    "ReLU's value is used as its derivative",
    "the derivative is 1 where the unit is on, and 0 elsewhere",
    Example(
        "batch",
        right="dz = dh * (h[:, t + 1] > 0)",
        wrong="dz = dh * h[:, t + 1]",
        changes={
            "dz = dh * (z[:, t] > 0)": "dz = dh * (h[:, t + 1] > 0)",
        },
    ),
)
