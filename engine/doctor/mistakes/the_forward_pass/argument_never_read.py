from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "argument-never-read",
    "a function never reads one of its arguments",
    "use it, or leave it out",
    Example(
        "lstm",
        right="return o * np.tanh(c)",
        wrong="return np.tanh(c)",
        changes={
            "rng = np.random.RandomState(3)": "def state(o, c):\n    return o * np.tanh(c)\n\n\nrng = np.random.RandomState(3)",
            "h = o * tc": "h = state(o, c)",
        },
        line="def state(o, c)",
    ),
    remark=True,
)
