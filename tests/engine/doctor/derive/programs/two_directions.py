import numpy as np

rng = np.random.default_rng(21)
steps, features, hidden, tags = 6, 3, 4, 3
x = rng.normal(size=(steps, features))
tag = np.array([0, 2, 1, 1, 0, 2])

params = {
    "Wf": rng.normal(0, 0.5, (features, hidden)), "Uf": rng.normal(0, 0.5, (hidden, hidden)), "bf": np.zeros(hidden),
    "Wb": rng.normal(0, 0.5, (features, hidden)), "Ub": rng.normal(0, 0.5, (hidden, hidden)), "bb": np.zeros(hidden),
    "V": rng.normal(0, 0.5, (2 * hidden, tags)), "c": np.zeros(tags),
}


def birnn(x, params):
    left = np.zeros((len(x), hidden))
    right = np.zeros((len(x), hidden))
    h = np.zeros(hidden)
    for t in range(len(x)):
        h = np.tanh(x[t] @ params["Wf"] + h @ params["Uf"] + params["bf"])
        left[t] = h
    h = np.zeros(hidden)
    for t in reversed(range(len(x))):
        h = np.tanh(x[t] @ params["Wb"] + h @ params["Ub"] + params["bb"])
        right[t] = h
    both = np.concatenate((left, right), axis=1)
    return both, both @ params["V"] + params["c"]


both, scores = birnn(x, params)
shifted = scores - scores.max(axis=1, keepdims=True)
log_prob = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
loss = -log_prob[np.arange(steps), tag].mean()
print(loss)
