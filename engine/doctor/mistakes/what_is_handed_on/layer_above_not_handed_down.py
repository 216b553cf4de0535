from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "layer-above-not-handed-down",
    "the gradient of the layer above is not handed down",
    "add what the layer above gives back to its input",
    Example(
        "stacked",
        right="dz = (down + dlow) * (1",
        wrong="dz = dlow * (1",
    ),
)
