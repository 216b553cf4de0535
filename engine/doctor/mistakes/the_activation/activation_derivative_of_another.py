from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "activation-derivative-of-another",
    "the derivative is that of another activation",
    "use the derivative of the activation that the forward pass applies",
    Example(
        "batch",
        right="dz = dh * (h[:, t + 1] > 0)",
        wrong="dz = dh * (1 - h[:, t + 1] ** 2)",
        changes={
            "dz = dh * (z[:, t] > 0)": "dz = dh * (h[:, t + 1] > 0)",
        },
    ),
)
