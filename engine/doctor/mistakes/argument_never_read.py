from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "argument-never-read",
    "an argument of the backward function is never read, so what it brings is lost",
    "read it where the gradient enters",
)
