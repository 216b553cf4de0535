from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "mask-forgotten",
    "a mask of the forward pass is forgotten on the way back",
    "multiply by the same mask: what was cut gets no gradient",
    Example(
        "stacked",
        right="down = keep[t] * (P @ da)",
        wrong="down = P @ da",
    ),
)
