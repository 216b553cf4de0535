from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "weights-not-transposed",
    "weights are not transposed on the way back",
    "transpose them: the product is undone the other way round",
    Example(
        "batch",
        right="dh = dlogits @ Wy.T",
        wrong="dh = dlogits @ Wy",
        changes={
            "H, K, rate = 4, 3, 2, 3, 5": "H, K, rate = 4, 3, 2, 3, 3",
        },
    ),
)
