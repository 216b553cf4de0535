from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "initial-state-gradient-missing",
    "the initial state's gradient is not returned",
    "return what flows back from the first step",
    remark=True,
)
