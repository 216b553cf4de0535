from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "dwx-wrong-step",
    "dWx is made from the input of another time step",
    "use the input of the same step",
    Example(
        "loop",
        right="dWx += np.outer(dz, xs[t])",
        wrong="dWx += np.outer(dz, xs[t - 1])",
    ),
)
