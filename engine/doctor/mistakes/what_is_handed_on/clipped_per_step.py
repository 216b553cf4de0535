from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "clipped-per-step",
    "the gradient is clipped inside the loop",
    "clip after the loop, once",
    Example(
        "loop",
        right="flow = Wh.T @ dz",
        wrong="flow = np.clip(Wh.T @ dz, -0.1, 0.1)",
    ),
)
