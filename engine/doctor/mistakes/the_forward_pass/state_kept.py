from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "state-kept",
    "one round begins with the state that the round before left",
    "begin with a state of its own, unless the samples continue those of the round before",
    Example(
        "loop",
        right="zs, hs, ps, loss = [], [rng.randn(H)], [], 0.0",
        wrong="zs, hs, ps, loss = [], [kept], [], 0.0",
        changes={
            "for step in range(3):": "kept = rng.randn(H)\nfor step in range(3):",
            "    flow = np.zeros(H)": "    kept, flow = hs[-1], np.zeros(H)",
        },
        line="zs.append(",
    ),
    remark=True,
)
