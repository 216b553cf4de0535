from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "activation-twice",
    "an activation is applied to what the same activation made",
    "apply it once",
    Example(
        "loop",
        right="hs.append(np.tanh(zs[-1]))",
        wrong="hs.append(np.tanh(np.tanh(zs[-1])))",
    ),
    remark=True,
)
