from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "loop-over-wrong-axis",
    "the loop over time steps counts samples, or another axis",
    "count along the axis of the steps",
    Example(
        "batch",
        right="for t in range(X.shape[1])[::-1]:",
        wrong="for t in range(X.shape[2])[::-1]:",
        changes={
            "for t in range(T - 1, -1, -1):": "for t in range(X.shape[1])[::-1]:",
        },
    ),
)
