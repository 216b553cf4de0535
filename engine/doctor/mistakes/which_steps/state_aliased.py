from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "state-aliased",
    "one array is stored at every step, so all stored states are the last one",
    "store a copy of the state at every step, such as a.copy()",
)
