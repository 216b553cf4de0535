from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "gate-for-another",
    "one gate stands where another is meant",
    "what a factor of a product gets is the flow times the other factor",
    Example(
        "lstm",
        right="di = dc * g",
        wrong="di = dc * i",
    ),
)
