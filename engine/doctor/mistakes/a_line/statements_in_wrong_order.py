from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "statements-in-wrong-order",
    "two statements stand in the wrong order",
    "exchange them",
)
