from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "initial-state-ignored",
    "the initial state is left out of dWa",
    "add the first step's term too: the initial state is not zero",
    Example(
        "loop",
        right="dWh += np.outer(dz, hs[t])",
        wrong="dWh += np.outer(dz, hs[t]) if t > 0 else 0",
    ),
)
