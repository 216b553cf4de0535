from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "carry-never-updated",
    "what flows to the step before is initialised but never updated",
    "at the end of every step, hand on what this step's input state gets",
    Example(
        "loop",
        right="        flow = Wh.T @ dz\n",
        wrong="",
        line="db += dz",
    ),
)
