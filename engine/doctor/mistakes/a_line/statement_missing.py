from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "statement-missing",
    "a statement is missing after this line",
    "add it",
)
