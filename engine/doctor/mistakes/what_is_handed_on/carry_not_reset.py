from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "carry-not-reset",
    "what is handed on is added to what was there instead of replacing it",
    "replace the flow at every step, do not add to the old one",
    Example(
        "loop",
        right="flow = Wh.T @ dz",
        wrong="flow += Wh.T @ dz",
    ),
)
