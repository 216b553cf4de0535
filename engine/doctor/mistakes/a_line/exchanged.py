from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "exchanged",
    "two operands are exchanged",
    "exchange them back",
)
