from engine.doctor.mistakes.mistake import Example, Mistake

MISTAKE = Mistake(
    "column-minus-row",
    "a column and a row make a matrix, where entry by entry is meant",
    "give both the same shape",
    Example(
        "stacked",
        right="error = high[1:] @ w - target",
        wrong="error = high[1:] @ w[:, None] - target",
        changes={
            "error[t] * w": "error[t].sum() * w",
            "dw = high[1:].T @ error": "dw = (high[1:].T @ error).reshape(G, -1).sum(axis=1)",
        },
    ),
    remark=True,
)
