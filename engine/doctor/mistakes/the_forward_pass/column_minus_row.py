from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "column-minus-row",
    "a column and a row make a matrix, where entry by entry is meant",
    "give both the same shape",
    forward=True,
)
