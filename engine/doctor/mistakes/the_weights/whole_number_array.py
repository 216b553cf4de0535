from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "whole-number-array",
    "what is put into this array loses its fractions: it is one of whole numbers",
    "make it with dtype=float",
)
