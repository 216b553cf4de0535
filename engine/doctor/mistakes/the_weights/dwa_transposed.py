from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "dwa-transposed",
    "dWa is transposed",
    "exchange the two factors of the product",
    Example(
        "loop",
        right="dWh += np.outer(dz, hs[t])",
        wrong="dWh += np.outer(hs[t], dz)",
    ),
)
