from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "gradient-of-another-loss",
    "the gradients are those of another loss than the one that is computed",
    "begin with the derivative of the loss that is computed, or compute the other one",
    Example(
        "loop",
        right="loss -= np.log(ps[-1][label])",
        wrong="loss += 0.5 * np.sum((ps[-1] - np.eye(K)[label]) ** 2)",
    ),
    remark=True,
)
