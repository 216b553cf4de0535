from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "future-gradient-dropped",
    "the gradient from the next step is not added to the output's own",
    "add what the step after handed back",
    Example(
        "loop",
        right="dh = Wy.T @ dy + flow",
        wrong="dh = Wy.T @ dy",
    ),
)
