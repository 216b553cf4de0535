from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "wa-applied-twice",
    "the recurrent weights are applied twice a step on the way back",
    "one product for each step",
    Example(
        "loop",
        right="flow = Wh.T @ dz",
        wrong="flow = Wh.T @ Wh.T @ dz",
    ),
)
