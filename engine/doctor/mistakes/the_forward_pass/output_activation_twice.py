from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "output-activation-twice",
    "the logits go through a second activation before the output",
    "give softmax the plain values of state · weights + bias",
    Example(
        "loop",
        right="e = np.exp(Wy @ hs[-1] + c)",
        wrong="e = np.exp(np.tanh(Wy @ hs[-1] + c))",
    ),
    remark=True,
)
