from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "delta-before-softmax",
    "the loss' derivative with respect to the probabilities is used as if it were that of the logits",
    "softmax and cross-entropy together have the derivative P − Y",
    Example(
        "batch",
        right="dlogits = (P - Y) / B",
        wrong="dlogits = -Y / P / B",
    ),
)
