from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "gate-term-forgotten",
    "the term of one gate is forgotten",
    "a value that goes into several gates gets a term from each",
    Example(
        "lstm",
        right="Wo.T @ dzo + Wg.T @ dzg",
        wrong="Wo.T @ dzo",
    ),
)
