from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "batch-not-averaged",
    "the loss is a mean over the batch, the gradient a sum",
    "divide by the number of samples, as the loss does",
    Example(
        "batch",
        right="dWy = h[:, T].T @ dlogits",
        wrong="dWy = h[:, T].T @ (P - Y)",
    ),
)
