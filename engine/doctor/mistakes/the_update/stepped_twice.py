from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "stepped-twice",
    "a weight is stepped twice by one gradient",
    "step every weight once",
    Example(
        "loop",
        right="weight -= rate * gradient",
        wrong="weight -= rate * gradient\n    Wh -= rate * dWh",
        line="Wh -= rate * dWh",
    ),
    remark=True,
)
