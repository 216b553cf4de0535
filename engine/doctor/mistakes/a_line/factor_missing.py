from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "factor-missing",
    "a factor is missing",
    "what a factor of a product gets is the flow times the other factors",
    Example(
        "lstm",
        right="dc_next = dc * f",
        wrong="dc_next = dc",
    ),
)
