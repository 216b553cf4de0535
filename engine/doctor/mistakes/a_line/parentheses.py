from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "parentheses",
    "parentheses: a factor is applied to another part of the sum than it should be",
    "put the sum that the factor belongs to into parentheses",
    Example(
        "stacked",
        right="dz = (down + dlow) * (1 - low[t + 1] ** 2)",
        wrong="dz = down + dlow * (1 - low[t + 1] ** 2)",
    ),
)
