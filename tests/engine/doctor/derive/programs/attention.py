"""An RNN that looks back at all its states before it answers."""
import numpy as np

rng = np.random.default_rng(8)
T, D, H, K = 7, 3, 5, 4
xs, target = rng.normal(size=(T, D)), 1
Wx, Wh, b = rng.normal(0, 0.5, (D, H)), rng.normal(0, 0.5, (H, H)), np.zeros(H)
Wa, va = rng.normal(0, 0.5, (H, H)), rng.normal(0, 0.5, H)
Wo, bo = rng.normal(0, 0.5, (H, K)), np.zeros(K)


def softmax(s):
    e = np.exp(s - s.max())
    return e / e.sum()


hs = []
h = np.zeros(H)
for x in xs:
    h = np.tanh(x @ Wx + h @ Wh + b)
    hs.append(h)

states = np.stack(hs)
u = np.tanh(states @ Wa)
weights = softmax(u @ va)
context = weights @ states
p = softmax(context @ Wo + bo)
loss = -np.log(p[target])
print(loss)
