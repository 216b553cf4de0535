from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "softmax-wrong-axis",
    "softmax is normalised over the wrong axis",
    "divide by the sum over the classes of each sample",
    Example(
        "batch",
        right="P = e / e.sum(axis=1, keepdims=True)",
        wrong="P = e / e.sum(axis=0, keepdims=True)",
    ),
    remark=True,
)
