from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "gradients-added",
    "the gradients are right, but they are added: the loss grows",
    "subtract the step",
    Example(
        "loop",
        right="weight -= rate * gradient",
        wrong="weight += rate * gradient",
    ),
)
