import numpy as np
from numpy import tanh, zeros

np.random.seed(3)
B, T, I, H1, H2, O = 3, 6, 2, 5, 4, 3
inp = np.random.randn(B, T, I)
target = np.random.randint(O, size=(B, T))

W1, R1, b1 = np.random.randn(I, H1) * .5, np.random.randn(H1, H1) * .4, zeros(H1)
W2, R2, b2 = np.random.randn(H1, H2) * .5, np.random.randn(H2, H2) * .4, zeros(H2)
W3, b3 = np.random.randn(H2, O) * .5, zeros(O)

h1 = zeros((T + 1, B, H1))
h2 = zeros((T + 1, B, H2))
probs = zeros((T, B, O))
cost = 0
for t in range(T):
    h1[t + 1] = tanh(inp[:, t] @ W1 + h1[t] @ R1 + b1)
    h2[t + 1] = tanh(h1[t + 1] @ W2 + h2[t] @ R2 + b2)
    logits = h2[t + 1] @ W3 + b3
    e = np.exp(logits - logits.max(axis=1)[:, None])
    probs[t] = e / e.sum(axis=1)[:, None]
    cost -= np.log(probs[t, range(B), target[:, t]]).sum()
cost /= B * T
print('cost = %.4f' % cost)
