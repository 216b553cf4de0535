from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "exchanged",
    "two operands or entries are exchanged",
    "exchange them back",
)
