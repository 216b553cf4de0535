from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "weights-updated-during-backward",
    "the recurrent weights change while the gradient still flows",
    "change the weights after the loop",
)
