from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "gradient-never-stored",
    "the gradient is computed but never stored: what is used stays zero",
    "add it to the array that the update reads",
    Example(
        "loop",
        right="dWx += np.outer(dz, xs[t])",
        wrong="own = np.outer(dz, xs[t])",
    ),
)
