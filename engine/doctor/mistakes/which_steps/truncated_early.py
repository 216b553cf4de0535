from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "truncated-early",
    "the backward loop stops before it has reached the first step",
    "go back as many steps as the loss reaches, or say that you truncate",
)
