from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "never-updated",
    "a weight has a gradient and is never stepped",
    "step it too, unless it is to stay as it is",
    Example(
        "loop",
        right="zip((Wx, Wh, Wy, b, c), (dWx, dWh, dWy, db, dc))",
        wrong="zip((Wx, Wh, Wy, c), (dWx, dWh, dWy, dc))",
        line="zs.append(",
    ),
    remark=True,
)
