from engine.doctor.mistakes.mistake import Mistake

MISTAKE = Mistake(
    "state-not-reset",
    "a sequence starts from the state that the one before left",
    "start unrelated sequences from the initial state",
    remark=True,
)
