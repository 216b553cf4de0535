from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "probabilities-overwritten",
    "the probabilities are changed in place when the delta is made",
    "work on a copy of the probabilities, or compute the loss before",
)
