from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "wrong-axis",
    "the sum runs over another axis",
    "sum over the axis that the array was repeated along",
    Example(
        "batch",
        right="db += dz.sum(axis=0)",
        wrong="db += dz.sum(axis=1)",
        changes={
            "B, T, D, H, K, rate = 4": "B, T, D, H, K, rate = 3",
        },
    ),
)
