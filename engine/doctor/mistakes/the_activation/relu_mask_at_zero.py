from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "relu-mask-at-zero",
    "ReLU's mask counts a pre-activation of exactly 0 as on",
    "either choice is usual; make it the same in both passes",
    Example(
        "batch",
        right="dz = dh * (z[:, t] > 0)",
        wrong="dz = dh * (z[:, t] >= 0)",
    ),
    remark=True,
)
