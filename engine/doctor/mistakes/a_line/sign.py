from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "sign",
    "a sign is wrong",
    "a minus of the forward pass stays a minus on the way back",
    Example(
        "stacked",
        right="dlow = V @ dz",
        wrong="dlow = -V @ dz",
    ),
)
