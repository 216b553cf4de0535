from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "output-gradient-every-step",
    "the output's gradient is added at every step, but only the last one predicts",
    "add it once, before the loop",
    Example(
        "batch",
        right="dh = dz @ Wh.T",
        wrong="dh = dz @ Wh.T + dlogits @ Wy.T",
    ),
)
