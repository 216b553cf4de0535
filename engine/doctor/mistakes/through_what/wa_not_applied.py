from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "wa-not-applied",
    "the recurrent weights are not applied on the way back",
    "multiply by the transposed recurrent weights",
    Example(
        "loop",
        right="flow = Wh.T @ dz",
        wrong="flow = dz",
    ),
)
