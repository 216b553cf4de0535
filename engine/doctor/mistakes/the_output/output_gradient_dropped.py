from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "output-gradient-dropped",
    "the output's gradient is left out at steps that predict",
    "add each step's own output gradient",
    Example(
        "loop",
        right="dh = Wy.T @ dy + flow",
        wrong="dh = (Wy.T @ dy if t == T - 1 else 0) + flow",
    ),
)
