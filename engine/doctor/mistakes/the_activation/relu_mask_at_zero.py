from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "relu-mask-at-zero",
    "ReLU's mask counts a pre-activation of exactly 0 as on",
    "either choice is usual; make it the same in both passes",
)
