"""Characters, a window at a time, first updates far larger than the weights."""
import numpy as np

text = "hello world, hello rnn. " * 4
chars = sorted(set(text))
V = len(chars)
stoi = {c: i for i, c in enumerate(chars)}
ids = np.array([stoi[c] for c in text])
H, L, lr = 12, 8, 0.1
rng = np.random.default_rng(0)
Wxh = rng.normal(0, 0.1, (V, H))
Whh = rng.normal(0, 0.1, (H, H))
Why = rng.normal(0, 0.1, (H, V))
bh, by = np.zeros(H), np.zeros(V)
memory = [np.zeros_like(p) for p in (Wxh, Whh, Why, bh, by)]
for step in range(20):
    start = (step * L) % (len(ids) - L - 1)
    x, y = ids[start:start + L], ids[start + 1:start + L + 1]
    hs = np.zeros((L + 1, H))
    probs = np.zeros((L, V))
    loss = 0.0
    for t in range(L):
        hs[t + 1] = np.tanh(Wxh[x[t]] + hs[t] @ Whh + bh)
        z = hs[t + 1] @ Why + by
        e = np.exp(z - z.max())
        probs[t] = e / e.sum()
        loss -= np.log(probs[t, y[t]])
    loss /= L

    dlogits = probs.copy()
    dlogits[np.arange(L), y] -= 1
    dlogits /= L
    dWhy = hs[1:].T @ dlogits
    dby = dlogits.sum(0)
    dWxh, dWhh, dbh = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(bh)
    dh_next = np.zeros(H)
    for t in range(L - 1, -1, -1):
        dh = Why @ dlogits[t] + dh_next
        dz = dh * (1 - hs[t + 1] ** 2)
        dWxh[x[t]] += dz
        dWhh += np.outer(hs[t], dz)
        dbh += dz
        dh_next = Whh @ dz
    for p, g, m in zip((Wxh, Whh, Why, bh, by), (dWxh, dWhh, dWhy, dbh, dby), memory):
        np.clip(g, -5, 5, out=g)
        m += g * g
        p -= lr * g / (np.sqrt(m) + 1e-8)
