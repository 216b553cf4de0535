from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "recurrence-dropped",
    "by this line nothing flows back to the step before",
    "hand the step's dz on to the step before, times the transposed recurrent weights",
    Example(
        "loop",
        right="flow = Wh.T @ dz",
        wrong="flow = np.zeros(len(Wh))",
    ),
)
