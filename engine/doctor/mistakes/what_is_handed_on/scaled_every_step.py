from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "scaled-every-step",
    "the flow is divided again at every time step",
    "divide once, where the loss does",
    Example(
        "loop",
        right="flow = Wh.T @ dz",
        wrong="flow = Wh.T @ dz / T",
    ),
)
