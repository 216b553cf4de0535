from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "gradients-not-reset",
    "gradients are kept from the call before and added to",
    "start every gradient from zeros in each call",
    Example(
        "loop",
        right="    dWx, dWh, dWy, db, dc = (np",
        wrong="    if step == 0: dWx, dWh, dWy, db, dc = (np",
        line="db += dz",
    ),
)
