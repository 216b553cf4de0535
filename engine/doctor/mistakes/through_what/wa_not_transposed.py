from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "wa-not-transposed",
    "the recurrent weights are not transposed on the way back",
    "transpose them: the product is undone the other way round",
    Example(
        "loop",
        right="flow = Wh.T @ dz",
        wrong="flow = Wh @ dz",
    ),
)
