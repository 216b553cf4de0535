from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "repeated-rows-not-accumulated",
    "an index that repeats: `d[ids] += g` adds only the last of the rows that have the same place",
    "use np.add.at(d, ids, g)",
    Example(
        "stacked",
        right="np.add.at(dvectors, ids, dx)",
        wrong="dvectors[ids] += dx",
    ),
)
