from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "tanh-derivative-of-activation",
    "the activation's derivative is taken at the wrong value: of a where z is meant, or the reverse",
    "from the activated value a the derivative of tanh is 1 − a², that of the sigmoid a(1 − a): do not apply the function once more",
    Example(
        "loop",
        right="dz = dh * (1 - hs[t + 1] ** 2)",
        wrong="dz = dh * (1 - np.tanh(hs[t + 1]) ** 2)",
    ),
)
