from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "carry-left-over",
    "a loop begins with what another one handed on last",
    "set it to zero before each loop",
)
