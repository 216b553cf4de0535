from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "stepped-unread",
    "what is stepped is read by nothing",
    "use it in the forward pass, or leave its gradient and its step out",
    Example(
        "loop",
        right="Wy @ hs[-1] + c",
        wrong="Wy @ hs[-1]",
        line="weight -= ",
    ),
    remark=True,
)
