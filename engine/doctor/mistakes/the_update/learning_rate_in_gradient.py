from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "learning-rate-in-gradient",
    "the learning rate is multiplied into the gradient",
    "multiply by the learning rate in the update only",
    Example(
        "loop",
        right="dWx += np.outer(dz, xs[t])",
        wrong="dWx += rate * np.outer(dz, xs[t])",
    ),
)
