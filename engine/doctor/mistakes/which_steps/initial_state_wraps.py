from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "initial-state-wraps",
    "at the first step, index −1 takes the last state for the initial one",
    "use the initial state at the first step",
    Example(
        "loop",
        right="dWh += np.outer(dz, hs[t - 1] if t > 0 else first)",
        wrong="dWh += np.outer(dz, hs[t - 1])",
        changes={
            "zs, hs, ps, loss = [], [rng.randn(H)], [], 0.0": "zs, hs, ps, loss, first = [], [], [], 0.0, rng.randn(H)",
            "Wh @ hs[-1] + b": "Wh @ (hs[-1] if hs else first) + b",
            "np.outer(dy, hs[t + 1])": "np.outer(dy, hs[t])",
            "(1 - hs[t + 1] ** 2)": "(1 - hs[t] ** 2)",
            "dWh += np.outer(dz, hs[t])": "dWh += np.outer(dz, hs[t - 1] if t > 0 else first)",
        },
    ),
)
