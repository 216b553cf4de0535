from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "softmax-jacobian-diagonal",
    "of softmax's derivative only the diagonal p(1−p) is used, no cross terms",
    "softmax and cross-entropy together have the derivative P − Y",
    Example(
        "batch",
        right="dlogits = (P - Y) / B",
        wrong="dlogits = -Y * (1 - P) / B",
    ),
)
