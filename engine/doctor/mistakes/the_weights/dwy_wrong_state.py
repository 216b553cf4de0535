from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "dwy-wrong-state",
    "dWy is made from another state than the one the output reads",
    "use the state of the same step as the output's delta",
    Example(
        "loop",
        right="dWy += np.outer(dy, hs[t + 1])",
        wrong="dWy += np.outer(dy, hs[t])",
    ),
)
