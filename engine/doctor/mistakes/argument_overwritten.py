from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "argument-overwritten",
    "an argument of the backward function is overwritten before it is read",
    "give what you make a name of its own",
)
