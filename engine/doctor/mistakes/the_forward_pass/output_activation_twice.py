from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "output-activation-twice",
    "the logits go through a second activation before the output",
    "give softmax the plain values of state · weights + bias",
    forward=True,
)
