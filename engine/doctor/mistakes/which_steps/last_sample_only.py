from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "last-sample-only",
    "what was stored is overwritten by each sample: only the last one's is left",
    "keep the states of every sample, or run its backward pass right after its forward pass",
)
