from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "term-missing",
    "a term is missing",
    "a value that is used in several places gets a term from each",
)
