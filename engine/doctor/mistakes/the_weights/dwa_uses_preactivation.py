from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "dwa-uses-preactivation",
    "dWa is made from the pre-activation instead of the state",
    "use the state that the step was given",
    Example(
        "loop",
        right="dWh += np.outer(dz, hs[t])",
        wrong="dWh += np.outer(dz, zs[t])",
    ),
)
