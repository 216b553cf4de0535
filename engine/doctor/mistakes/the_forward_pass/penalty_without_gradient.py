from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "penalty-without-gradient",
    "a penalty is added to the loss, and no gradient has it",
    "add its derivative to the gradients",
    Example(
        "loop",
        right="        loss -= np.log(ps[-1][label])",
        wrong="        loss -= np.log(ps[-1][label])\n    loss += 0.01 * np.sum(Wh ** 2)",
        line="    loss += 0.01",
    ),
    remark=True,
)
