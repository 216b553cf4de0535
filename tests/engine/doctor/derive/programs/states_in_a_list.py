import numpy as np

rng = np.random.default_rng(5)
T, I, H, O = 5, 3, 4, 2
X = rng.normal(size=(6, T, I))
labels = np.eye(O)[rng.integers(0, O, 6)].T

U = rng.normal(size=(H, I)) * 0.5
W = rng.normal(size=(H, H)) * 0.5
b = np.zeros((H, 1))
V = rng.normal(size=(O, H)) * 0.5


def step(x, h):
    a = np.maximum(0, U @ x + W @ h + b)
    return a, (x, h, a)


hs = [np.zeros((H, 6))]
caches = []
for t in range(T):
    xt = X[:, t].T
    h, cache = step(xt, hs[t])
    hs.append(h)
    caches.append(cache)
scores = V @ hs[-1]
e = np.exp(scores - scores.max(axis=0))
p = e / e.sum(axis=0)
cost = -np.mean(np.sum(labels * np.log(p), axis=0))
print(cost)
