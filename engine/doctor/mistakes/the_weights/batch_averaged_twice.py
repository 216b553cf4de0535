from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "batch-averaged-twice",
    "divided by the batch size once too often",
    "divide by the number of samples once only",
    Example(
        "batch",
        right="dWy = h[:, T].T @ dlogits",
        wrong="dWy = h[:, T].T @ dlogits / B",
    ),
)
