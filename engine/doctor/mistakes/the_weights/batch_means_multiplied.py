from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "batch-means-multiplied",
    "means over the batch are multiplied, where products are to be summed",
    "multiply sample by sample, then sum",
)
