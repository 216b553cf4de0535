from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "gradient-of-another-loss",
    "the gradient is that of another loss than the one computed",
    "differentiate the loss that is computed",
    Example(
        "lstm",
        right="loss += 0.5 * (y - target) ** 2",
        wrong="loss += abs(y - target)",
    ),
    remark=True,
)
