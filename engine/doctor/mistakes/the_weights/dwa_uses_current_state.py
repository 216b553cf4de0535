from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "dwa-uses-current-state",
    "dWa is made from the state of the same step instead of the one before",
    "use the state that the step was given",
    Example(
        "loop",
        right="dWh += np.outer(dz, hs[t])",
        wrong="dWh += np.outer(dz, hs[t + 1])",
    ),
)
