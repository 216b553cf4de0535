import numpy as np

rng = np.random.default_rng(3)
words = "we read the words one by one and read them again".split()
vocab = sorted(set(words))
index = np.array([vocab.index(w) for w in words])
V, E, H = len(vocab), 4, 5

emb = rng.normal(0, 0.5, (V, E))
W_in = rng.normal(0, 0.5, (E, H))
W_rec = rng.normal(0, 0.5, (H, H))
W_out = rng.normal(0, 0.5, (H, V))
b_h, b_o = np.zeros(H), np.zeros(V)

state = np.zeros(H)
nll = 0.0
for now, nxt in zip(index[:-1], index[1:]):
    e = emb[now]
    state = np.tanh(e @ W_in + state @ W_rec + b_h)
    logit = state @ W_out + b_o
    prob = np.exp(logit) / np.exp(logit).sum()
    nll -= np.log(prob[nxt])
nll = nll / (len(index) - 1)
print("nll", nll)
