from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "gradient-never-stored",
    "the gradient is computed but never stored: what is used stays zero",
    "add it to the array that the update reads",
    Example(
        "batch",
        right="dWy += h[:, T].T @ dlogits",
        wrong="own = h[:, T].T @ dlogits",
        changes={
            "dWy = h[:, T].T @ dlogits": "dWy = np.zeros_like(Wy)\n    dWy += h[:, T].T @ dlogits",
        },
    ),
)
