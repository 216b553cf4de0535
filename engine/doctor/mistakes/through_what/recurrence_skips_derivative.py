from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "recurrence-skips-derivative",
    "the flow to the step before skips the activation's derivative",
    "hand on dz, which has the derivative in it, not dh",
    Example(
        "loop",
        right="flow = Wh.T @ dz",
        wrong="flow = Wh.T @ dh",
    ),
)
