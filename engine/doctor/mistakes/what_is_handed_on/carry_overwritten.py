from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "carry-overwritten",
    "what was handed back is overwritten before it is used",
    "leave this line out: what was handed back before goes on from here",
)
