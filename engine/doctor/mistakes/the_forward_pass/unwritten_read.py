from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "unwritten-read",
    "an array is read before anything was written into it",
    "np.zeros for np.empty, which holds whatever was in memory",
    Example(
        "loop",
        right="first = rng.randn(H)",
        wrong="first = np.empty(H)",
        changes={
            "[rng.randn(H)], [], 0.0": "[first], [], 0.0",
            "for step in range(3):": "first = rng.randn(H)\nfor step in range(3):",
        },
    ),
    remark=True,
)
