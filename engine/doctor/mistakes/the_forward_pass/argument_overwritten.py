from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "argument-overwritten",
    "a function overwrites one of its arguments before it reads it",
    "use what it was called with",
    Example(
        "lstm",
        right="    return o * np.tanh(c)",
        wrong="    c = i * g\n    return o * np.tanh(c)",
        changes={
            "rng = np.random.RandomState(3)": "def state(o, c):\n    return o * np.tanh(c)\n\n\nrng = np.random.RandomState(3)",
            "h = o * tc": "h = state(o, c)",
        },
        line="    c = i * g",
    ),
    remark=True,
)
