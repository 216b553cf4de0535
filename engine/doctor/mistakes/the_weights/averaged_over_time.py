from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "averaged-over-time",
    "the gradient is divided by the number of time steps",
    "sum over the time steps, do not average",
    Example(
        "loop",
        right="dWx += np.outer(dz, xs[t])",
        wrong="dWx += np.outer(dz, xs[t]) / T",
    ),
)
